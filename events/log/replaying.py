"""Reading the log once more: places in a partition, single streams, events of one type."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from django.db import connection

from events.log.logged import LoggedEvent
from events.log.read import payload_columns, prefixes_match, select_events
from events.log.rows import event_pk
from events.models import Event

SKEW = timedelta(minutes=1)
"""By so much the clocks of those who append may differ."""


class Moment(NamedTuple):
    """When an event was recorded, and its id: a place in the order of an index."""

    recorded: datetime
    id: int


class Place(NamedTuple):
    """One event, without its payload."""

    offset: int
    stream: str
    version: int
    type: str


class _Where(NamedTuple):
    """A condition, and the values in it."""

    sql: str
    values: list[int]


def places(partition_id: int, lanes: Sequence[int], after: int, through: int, limit: int) -> list[Place]:
    """Return up to ``limit`` events of these lanes that lie in ``(after, through]``, in order."""
    if len(lanes) == 1:
        where, values = 'partition_id = %s AND lane = %s AND "offset" > %s AND "offset" <= %s', [
            partition_id, lanes[0], after, through,
        ]  # fmt: skip
    else:
        where = f"id > %s AND id <= %s AND lane IN ({_marks(lanes)})"
        values = [event_pk(partition_id, after), event_pk(partition_id, through), *lanes]
    with connection.cursor() as cursor:
        cursor.execute(
            f'SELECT "offset", stream, version, type FROM events_event WHERE {where} ORDER BY "offset" LIMIT %s',  # noqa: S608 - values are bound
            [*values, limit],
        )
        return [Place(*row) for row in cursor.fetchall()]


def stream_after(
    game_id: int, stream: str, version: int, limit: int, types: tuple[str, ...] | None
) -> list[LoggedEvent]:
    """Return up to ``limit`` events of a stream that come after a version, payloads of these types only."""
    payload, values = payload_columns(types)
    return select_events(
        payload,
        "game_id = %s AND stream = %s AND version > %s ORDER BY version LIMIT %s",
        [*values, game_id, stream, version, limit],
    )


def partition_after(
    partition_id: int, after: int, through: int, limit: int, types: tuple[str, ...] | None = None
) -> list[LoggedEvent]:
    """Return up to ``limit`` events of all lanes that lie in ``(after, through]``, in order."""
    payload, values = payload_columns(types)
    bounds = [event_pk(partition_id, after), event_pk(partition_id, through)]
    return select_events(payload, "id > %s AND id <= %s ORDER BY id LIMIT %s", [*values, *bounds, limit])


def is_known_earlier(
    game_id: int, place: Place, since: int, lanes: Sequence[int], types: tuple[str, ...] | None
) -> bool:
    """Tell whether its stream has an event of these types at or after offset ``since``, before this one."""
    where = _Where('version < %s AND "offset" >= %s', [place.version, since])
    return _any(game_id, place.stream, lanes, types, where)


def has_any(
    game_id: int, stream: str, through: int, lanes: Sequence[int], types: tuple[str, ...] | None
) -> bool:
    """Tell whether a stream has an event of these types up to an offset."""
    return _any(game_id, stream, lanes, types, _Where('"offset" <= %s', [through]))


def of_type(
    *, game_id: int, type: str, partition_id: int, span: tuple[int, int], after: Moment, limit: int
) -> list[LoggedEvent]:
    """Return up to ``limit`` events of one type in ``(span]`` of a partition, after a moment, by time of recording.

    That is the index's order. It is the order of offsets too, but for the few milliseconds by
    which the clocks of those who append differ; so the next page comes after a moment, not
    after an offset, and none is left out.
    """
    last = recorded_at(partition_id, span[1])
    if last is None:
        return []
    payload, values = payload_columns(None)
    adapt = connection.ops.adapt_datetimefield_value
    return select_events(
        payload,
        "game_id = %s AND type = %s AND (recorded, id) > (%s, %s) AND recorded <= %s AND id > %s AND id <= %s"
        " ORDER BY recorded, id LIMIT %s",
        [
            *values, game_id, type, adapt(after.recorded), after.id, adapt(last + SKEW),
            event_pk(partition_id, span[0]), event_pk(partition_id, span[1]), limit,
        ],
    )  # fmt: skip


def moment_before(partition_id: int, offset: int) -> Moment:
    """Return a moment that no event from this offset on comes before."""
    first = recorded_at(partition_id, offset)
    return Moment((first or datetime.max.replace(tzinfo=UTC)) - SKEW, 0)


def offset_before(partition_id: int, moment: datetime, head: int) -> int:
    """Return the offset of the last event that was recorded before a time; 0 when there is none.

    By halving, because recording follows the offsets: some thirty steps, whatever the size.
    """
    low, high = 0, head
    while low < high:
        middle = (low + high + 1) // 2
        if _recorded(partition_id, middle) < moment:
            low = middle
        else:
            high = middle - 1
    return low


def recorded_at(partition_id: int, offset: int) -> datetime | None:
    """Return when the event at a place was recorded; None when there is none."""
    rows = Event.objects.filter(id=event_pk(partition_id, offset))
    return rows.values_list("recorded", flat=True).first()


def _recorded(partition_id: int, offset: int) -> datetime:
    moment = recorded_at(partition_id, offset)
    if moment is None:
        raise LookupError(f"partition {partition_id} has no event at offset {offset}")
    return moment


def _any(
    game_id: int,
    stream: str,
    lanes: Collection[int],
    types: tuple[str, ...] | None,
    where: _Where,
) -> bool:
    matches, patterns = prefixes_match(types)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT 1 FROM events_event WHERE game_id = %s AND stream = %s AND {where.sql}"  # noqa: S608 - values are bound
            f" AND lane IN ({_marks(lanes)}) AND ({matches}) ORDER BY version LIMIT 1",
            [game_id, stream, *where.values, *lanes, *patterns],
        )
        return cursor.fetchone() is not None


def _marks(values: Collection[object]) -> str:
    return ", ".join(["%s"] * len(values))
