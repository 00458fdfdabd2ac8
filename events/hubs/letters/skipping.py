"""Skipping: staff decide that an event, or all that waits, will never be processed by this hub."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from events import staff
from events.errors import LetterMoved
from events.hubs.letters import counting, waiting
from events.hubs.letters.drain import stand_at
from events.hubs.letters.holding import Held, hold
from events.lanes import Lane
from events.models import DeadLetter, LetterStep


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What somebody had before their eyes when they decided."""

    version: int  # where the letter stood
    upto: int  # the checkpoint's position; what has come since is not skipped
    events: int  # that wait up to there


def seen(letter: DeadLetter) -> Seen:
    """Return what is to be decided about."""
    with transaction.atomic():
        held = hold(letter.pk)
        return Seen(
            version=held.letter.version, upto=held.position, events=waiting.count(held.letter, held.position)
        )


@transaction.atomic
def skip_one(letter: DeadLetter, *, version: int, by: str, reason: str) -> int:
    """Skip exactly the event at which a letter stands; what waits behind it is drained next. Returns 1.

    Raises:
        LetterGone: it is resolved.
        LetterMoved: it no longer stands at that version; nothing was skipped.
    """
    held = _held_at(letter, version)
    _leave(held, waiting.next_after(held.letter, version, held.position), 1, by, reason)
    return 1


@transaction.atomic
def skip_waiting(letter: DeadLetter, *, version: int, upto: int, by: str, reason: str) -> int:
    """Skip all that waits from that version on, up to an offset; return how many events.

    What the log has gained beyond it since somebody looked is not skipped but drained.

    Raises:
        LetterGone: it is resolved.
        LetterMoved: it no longer stands at that version; nothing was skipped.
    """
    held = _held_at(letter, version)
    reached = min(upto, held.position)
    events = waiting.count(held.letter, reached)
    following = waiting.next_beyond(held.letter, reached, held.position)
    _leave(held, following, events, by, reason)
    return events


def _held_at(letter: DeadLetter, version: int) -> Held:
    held = hold(letter.pk)
    if held.letter.version != version:
        raise LetterMoved(letter.pk, version, held.letter.version)
    return held


def _leave(held: Held, following: waiting.Waiting | None, events: int, by: str, reason: str) -> None:
    """Let the letter stand at what follows, due at once, or resolve it. A drain that runs loses its claim."""
    letter, now = held.letter, datetime.now(UTC)
    LetterStep.objects.create(
        letter=letter, at=now, by=by, reason=reason, outcome=LetterStep.Outcome.SKIPPED, cause=letter.cause,
        version=letter.version, events=events,
    )  # fmt: skip
    staff.note(
        letter.game_id, "deadletter.skipped", by, hub=letter.hub, lane=Lane(letter.lane).label,
        stream=letter.stream, version=letter.version, events=events, reason=reason,
    )  # fmt: skip
    counting.skipped.labels(letter.hub).inc(events)
    letter.noted_by, letter.round = None, None
    if following is None:
        letter.resolved, letter.next_retry = now, None
        counting.resolved.labels(letter.hub, "skipped").inc()
    else:
        stand_at(letter, following, now)
        letter.next_retry, letter.asked_by = now, by
    letter.save()
