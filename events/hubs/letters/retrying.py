"""Retrying: what staff ask for. Workers take it up within seconds."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction

from events import staff
from events.lanes import Lane
from events.models import DeadLetter, RetryRound


@transaction.atomic
def retry(letters: Sequence[DeadLetter], by: str, reason: str) -> int:
    """Let these letters be due now; return how many still wait."""
    now = datetime.now(UTC)
    changed = 0
    for letter in sorted(letters, key=lambda each: each.pk):
        if DeadLetter.objects.filter(pk=letter.pk, resolved=None).update(
            next_retry=now, asked_by=by, round=None
        ):
            changed += 1
            staff.note(
                letter.game_id, "deadletter.retried", by, hub=letter.hub, lane=Lane(letter.lane).label,
                stream=letter.stream, version=letter.version, reason=reason,
            )  # fmt: skip
    return changed


def of_stream(letter: DeadLetter) -> list[DeadLetter]:
    """Return all waiting letters of a letter's stream: of every hub and lane."""
    return list(
        DeadLetter.objects.filter(game_id=letter.game_id, stream=letter.stream, resolved=None).order_by("id")
    )


@transaction.atomic
def retry_group(hub: str, fingerprint: str, by: str, reason: str) -> int:
    """Begin a round for all letters that wait with a fingerprint; return how many, 0 when one is under way.

    One is tried first. If it fails again, the round ends there and the rest goes on waiting.
    """
    letters = DeadLetter.objects.filter(hub=hub, fingerprint=fingerprint, resolved=None)
    games = Counter(letters.values_list("game_id", flat=True))
    if not games or RetryRound.objects.filter(hub=hub, fingerprint=fingerprint, finished=None).exists():
        return 0
    begun = RetryRound.objects.create(
        hub=hub, fingerprint=fingerprint, by=by, reason=reason, total=games.total()
    )
    letters.update(round=begun)
    for game_id, count in sorted(games.items()):
        staff.note(
            game_id, "deadletter.retried", by, hub=hub, fingerprint=fingerprint, letters=count, reason=reason
        )
    return games.total()
