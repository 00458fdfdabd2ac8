"""What waits behind a dead letter: the events of its stream and lane from its version up to the checkpoint."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db import connection

from events.models import DeadLetter


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """The next event that waits."""

    version: int
    offset: int
    type: str


def next_after(letter: DeadLetter, version: int, upto: int) -> Waiting | None:
    """Return the first event after a version of the stream, in the letter's lane, up to an offset."""
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT version, "offset", type {_SHAPE} ORDER BY version LIMIT 1',
            [letter.game_id, letter.stream, version, letter.lane, upto],
        )
        row = cursor.fetchone()
    return Waiting(version=row[0], offset=row[1], type=row[2]) if row else None


def next_beyond(letter: DeadLetter, offset: int, upto: int) -> Waiting | None:
    """Return the first event of the stream, in the letter's lane, beyond an offset and up to another."""
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT version, "offset", type {_SHAPE} AND "offset" > %s ORDER BY version LIMIT 1',
            [letter.game_id, letter.stream, letter.version - 1, letter.lane, upto, offset],
        )
        row = cursor.fetchone()
    return Waiting(version=row[0], offset=row[1], type=row[2]) if row else None


def last(letter: DeadLetter, upto: int) -> int:
    """Return the last version that waits up to an offset; the letter's own when nothing does."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT max(version) {_SHAPE}",
            [letter.game_id, letter.stream, letter.version - 1, letter.lane, upto],
        )
        return int(cursor.fetchone()[0] or letter.version)


def count(letter: DeadLetter, upto: int) -> int:
    """Return how many events wait, the failing one included, up to an offset."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT count(*) {_SHAPE}",
            [letter.game_id, letter.stream, letter.version - 1, letter.lane, upto],
        )
        return int(cursor.fetchone()[0])


def counts(letters: Collection[DeadLetter]) -> dict[int, int]:
    """Return how many events wait behind each of these letters, by id, in one statement."""
    ids = [letter.pk for letter in letters]
    if not ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.id, (SELECT count(*) FROM events_event e WHERE e.game_id = l.game_id"  # noqa: S608 - placeholders
            " AND e.stream = l.stream AND e.version >= l.version AND e.lane = l.lane"
            ' AND e."offset" <= c.position)'
            " FROM events_deadletter l JOIN events_checkpoint c"
            " ON c.hub = l.hub AND c.partition_id = l.partition_id AND c.lane = l.lane"
            f" WHERE l.id IN ({', '.join(['%s'] * len(ids))})",
            ids,
        )
        return dict(cursor.fetchall())


_SHAPE = (
    'FROM events_event WHERE game_id = %s AND stream = %s AND version > %s AND lane = %s AND "offset" <= %s'
)
