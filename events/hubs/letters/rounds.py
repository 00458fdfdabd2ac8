"""Rounds: all letters with one fingerprint at a bounded rate; of a retry one goes first, as a probe."""

from datetime import UTC, datetime, timedelta

from django.db.models import F

from events.errors import LetterGone, LetterMoved
from events.hubs import patience
from events.hubs.letters.drain import Came, drain
from events.hubs.letters.skipping import skip_one
from events.models import DeadLetter, RetryRound

PER_SECOND = 10
"""Letters that a round tries in a second, over all processes."""
SKIPS_PER_SECOND = 50
SAVED_UP = timedelta(seconds=3)
"""What the rate allowed while nobody looked is made up for, as far back: workers look every few seconds."""
STOPS_AFTER = 5
"""So many failures, and the rest waits: the cause is not gone for all of them."""
PROBE_S = timedelta(seconds=60)
"""For so long a probe is left to whoever has begun it."""
AGAIN = timedelta(seconds=5)

State = RetryRound.State


def take_turn(seconds: float) -> bool:
    """Try one letter of a round that is due for this process; False when none is."""
    now = datetime.now(UTC)
    due = RetryRound.objects.filter(finished=None, next_at__lte=now - patience.ours().letters)
    for row in due.order_by("next_at"):
        if _claim(row, now):
            _try_one(row, seconds)
            return True
    return False


def _claim(row: RetryRound, now: datetime) -> bool:
    """Take the next place in time; the one who loses leaves it alone.

    The try counts as failed until it has ended: so one that ends its process counts too.
    """
    mine = RetryRound.objects.filter(pk=row.pk, finished=None, state=row.state, next_at=row.next_at)
    if row.state == State.PROBING:
        next_at = now + PROBE_S
    else:
        rate = SKIPS_PER_SECOND if row.skips else PER_SECOND
        next_at = max(row.next_at, now - SAVED_UP) + timedelta(seconds=1 / rate)
    return bool(mine.update(next_at=next_at, failed=F("failed") + 1))


def _try_one(row: RetryRound, seconds: float) -> None:
    probe = row.state == State.PROBING
    letter = DeadLetter.objects.filter(round=row, resolved=None).order_by("id").first()
    if letter is None:
        _end(row, State.FINISHED, failed=-1)
    elif row.skips:
        _skip(row, letter)
    elif row.failed >= (1 if probe else STOPS_AFTER):  # the process of the one before has ended
        _end(row, State.STOPPED, failed=-1)
    else:
        DeadLetter.objects.filter(pk=letter.pk).update(asked_by=row.by)
        came, events = drain(letter.pk, seconds)
        _judge(row, letter, came, passed=came is Came.RESOLVED or events > 0)


def _skip(row: RetryRound, letter: DeadLetter) -> None:
    """Skip the event that was decided about; a letter that has moved on since is left, and counts as failed."""
    same = letter.first_failed <= row.created
    try:
        if same:
            skip_one(letter, version=letter.version, by=row.by, reason=row.reason, alone=False)
    except (LetterMoved, LetterGone):
        same = False
    _leave(letter)
    if same:
        _change(row, passed=1, failed=-1)


def _judge(row: RetryRound, letter: DeadLetter, came: Came, *, passed: bool) -> None:
    probe = row.state == State.PROBING
    if passed:
        _leave(letter)
        _change(row, passed=1, failed=-1, state=State.RUNNING, now=probe)
    elif came is Came.FAILED:
        _leave(letter)
        if probe or row.failed + 1 >= STOPS_AFTER:
            _end(row, State.STOPPED)
    else:  # a fault that passes, or somebody else is at it
        _change(row, failed=-1)
        RetryRound.objects.filter(pk=row.pk).update(next_at=datetime.now(UTC) + AGAIN)


def _leave(letter: DeadLetter) -> None:
    DeadLetter.objects.filter(pk=letter.pk).update(round=None)


def _change(row: RetryRound, *, passed: int = 0, failed: int = 0, state: str = "", now: bool = False) -> None:
    changes = {"state": state} if state else {}
    due = {"next_at": datetime.now(UTC)} if now else {}
    RetryRound.objects.filter(pk=row.pk, finished=None).update(
        passed=F("passed") + passed, failed=F("failed") + failed, **changes, **due
    )


def _end(row: RetryRound, state: str, failed: int = 0) -> None:
    """End a round; what is left of it waits for its own next retry, as before."""
    RetryRound.objects.filter(pk=row.pk, finished=None).update(
        state=state, finished=datetime.now(UTC), failed=F("failed") + failed
    )
    DeadLetter.objects.filter(round=row).update(round=None)
