"""Retrying: what staff ask for. Workers take it up within seconds."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction

from events import staff
from events.errors import LettersChanged
from events.lanes import Lane
from events.models import DeadLetter


@transaction.atomic
def retry(letters: Sequence[DeadLetter], *, by: str, reason: str) -> int:
    """Let these letters be due now, all or none; return how many they are.

    Raises:
        LettersChanged: some were retried, skipped or resolved since they were read.
    """
    now = datetime.now(UTC)
    changed = 0
    for letter in sorted(letters, key=lambda each: each.pk):
        as_read = DeadLetter.objects.filter(
            pk=letter.pk, resolved=None, version=letter.version, tries=letter.tries, asked_by=letter.asked_by
        )
        if as_read.update(next_retry=now, asked_by=by, round=None):
            changed += 1
            staff.note(
                letter.game_id, "deadletter.retried", by, hub=letter.hub, lane=Lane(letter.lane).label,
                stream=letter.stream, version=letter.version, reason=reason,
            )  # fmt: skip
    if changed != len(letters):
        raise LettersChanged(len(letters), changed)
    return changed


def of_stream(letter: DeadLetter) -> list[DeadLetter]:
    """Return all waiting letters of a letter's stream: of every hub and lane."""
    return list(
        DeadLetter.objects.filter(game_id=letter.game_id, stream=letter.stream, resolved=None).order_by("id")
    )
