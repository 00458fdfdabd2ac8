"""Whoever moves a dead letter holds the checkpoint's lock: so do drain, skip and the live run."""

from dataclasses import dataclass

from django.db import connection

from events.errors import LetterGone
from events.models import DeadLetter


@dataclass(frozen=True, kw_only=True)
class Held:
    """A dead letter as it stands while its checkpoint is locked."""

    letter: DeadLetter
    position: int  # of the checkpoint: what the live run has passed
    paused: bool


def hold(letter_id: int) -> Held:
    """Lock the checkpoint of a letter, then the letter, and read it: nobody moves it until the transaction ends.

    Raises:
        LetterGone: it is resolved, or was never there.
    """
    hub, partition_id, lane = _place(letter_id)
    lock = " FOR NO KEY UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT position, paused FROM events_checkpoint"  # noqa: S608 - ours
            f" WHERE hub = %s AND partition_id = %s AND lane = %s{lock}",
            [hub, partition_id, lane],
        )
        row = cursor.fetchone()
    # Whoever holds it saves the whole row, which would undo what a round writes meanwhile.
    rows = DeadLetter.objects.select_for_update(no_key=True)
    letter = rows.filter(pk=letter_id, resolved=None).first()
    if row is None or letter is None:
        raise LetterGone(letter_id)
    return Held(letter=letter, position=row[0], paused=bool(row[1]))


def _place(letter_id: int) -> tuple[str, int, int]:
    """Return what never changes about it."""
    place = (
        DeadLetter.objects.filter(pk=letter_id, resolved=None)
        .values_list("hub", "partition_id", "lane")
        .first()
    )
    if place is None:
        raise LetterGone(letter_id)
    return place
