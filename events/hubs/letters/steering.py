"""Rounds over all letters with one fingerprint: staff begin and cancel them, workers work them off."""

from datetime import UTC, datetime

from django.db import transaction
from django.db.models import Count, QuerySet

from events import staff
from events.errors import LettersChanged, RoundOpen
from events.models import DeadLetter, RetryRound

ROUNDS_SHOWN = 8


def waiting_in(hub: str, fingerprint: str) -> dict[int, int]:
    """Return how many letters wait with a fingerprint, by game; exact at this moment."""
    return _by_game(DeadLetter.objects.filter(hub=hub, fingerprint=fingerprint, resolved=None))


def is_open(hub: str, fingerprint: str) -> bool:
    """Tell whether a round over a fingerprint is under way."""
    return RetryRound.objects.filter(hub=hub, fingerprint=fingerprint, finished=None).exists()


def latest_rounds(hub: str, fingerprint: str) -> list[RetryRound]:
    """Return the newest rounds over a fingerprint, the newest first."""
    return list(RetryRound.objects.filter(hub=hub, fingerprint=fingerprint).order_by("-id")[:ROUNDS_SHOWN])


@transaction.atomic
def retry_group(hub: str, fingerprint: str, *, seen: int, by: str, reason: str) -> RetryRound:
    """Begin a round that retries all letters that wait with a fingerprint; ``seen`` is how many somebody saw.

    One is tried first. If it fails again, the round ends there and the rest goes on waiting.

    Raises:
        LettersChanged: these are not so many any more; nothing was begun.
        RoundOpen: a round of theirs is under way.
    """
    return _begin(hub, fingerprint, seen, RetryRound(by=by, reason=reason))


@transaction.atomic
def skip_group(hub: str, fingerprint: str, *, seen: int, by: str, reason: str) -> RetryRound:
    """Begin a round that skips the event at which each letter of a fingerprint stands.

    One that stands at another event when its turn comes is left as it is. What waits behind the
    skipped events is drained.

    Raises:
        LettersChanged, RoundOpen: as for a retry.
    """
    return _begin(
        hub, fingerprint, seen, RetryRound(by=by, reason=reason, skips=True, state=RetryRound.State.RUNNING)
    )


@transaction.atomic
def cancel(row: RetryRound, *, by: str, reason: str) -> bool:
    """End a round; what it has done stays, the rest waits as before. False when it was over already."""
    mine = RetryRound.objects.filter(pk=row.pk, finished=None)
    if not mine.update(state=RetryRound.State.CANCELLED, finished=datetime.now(UTC)):
        return False
    left = DeadLetter.objects.filter(round=row)
    games = _by_game(left)
    left.update(round=None)
    _note(row, "round_cancelled", games, by, reason)
    return True


def _begin(hub: str, fingerprint: str, seen: int, row: RetryRound) -> RetryRound:
    if is_open(hub, fingerprint):
        raise RoundOpen(hub, fingerprint)
    row.hub, row.fingerprint, row.total = hub, fingerprint, seen
    row.save()
    taken = DeadLetter.objects.filter(hub=hub, fingerprint=fingerprint, resolved=None).update(round=row)
    if taken != seen or not seen:
        raise LettersChanged(seen, taken)
    games = _by_game(DeadLetter.objects.filter(round=row))
    _note(row, "group_skipped" if row.skips else "retried", games, row.by, row.reason)
    return row


def _by_game(letters: QuerySet[DeadLetter]) -> dict[int, int]:
    counted = letters.order_by().values("game_id").annotate(letters=Count("id"))
    return {row["game_id"]: row["letters"] for row in counted}


def _note(row: RetryRound, what: str, games: dict[int, int], by: str, reason: str) -> None:
    """Write an event into the log of each game whose letters these are."""
    for game_id, count in sorted(games.items()):
        staff.note(
            game_id, f"deadletter.{what}", by, hub=row.hub, fingerprint=row.fingerprint, letters=count,
            round=row.pk, reason=reason,
        )  # fmt: skip
