"""Reading the log. A reader needs nothing but ``offset > checkpoint``: offsets come in commit order."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.log.partitions import partition_ids
from events.log.rows import event_pk
from events.models import Event

_FIELDS = LoggedEvent.__struct_fields__
_PLAIN = ", ".join(f'"{name}"' for name in _FIELDS if name not in {"data", "data_encoding", "traceparent"})
_TIMES = tuple(_FIELDS.index(name) for name in ("time", "recorded", "expires"))


def lane_head_column(lane: int) -> str:
    """Return the name of the partition's column that keeps this lane's head."""
    return f"{Lane(lane).label}_head"


def lane_count_column(lane: int) -> str:
    """Return the name of the partition's column that counts this lane's events."""
    return f"{Lane(lane).label}_count"


def batch(
    partition_id: int, lane: int, after: int, limit: int, types: tuple[str, ...] | None = None
) -> list[LoggedEvent]:
    """Return up to ``limit`` events of a lane that come after an offset, in order.

    With ``types`` (prefixes) the payload of other types is left out: most hubs look at few.
    """
    payload, values = payload_columns(types)
    return select_events(
        payload,
        'partition_id = %s AND lane = %s AND "offset" > %s ORDER BY "offset" LIMIT %s',
        [*values, partition_id, lane, after, limit],
    )


def count_of_batch(
    partition_id: int, lane: int, after: int, limit: int, until: datetime | str | None = None
) -> int:
    """Return how many of the up to ``limit`` next events of a lane had been recorded at a time; None is now.

    ``until`` is as this database's raw cursors give and take it.
    """
    recorded, values = ("", []) if until is None else (" WHERE recorded <= %s", [until])
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT recorded FROM events_event WHERE partition_id = %s AND lane = %s"  # noqa: S608 - ours
            f' AND "offset" > %s ORDER BY "offset" LIMIT %s) AS batch{recorded}',
            [partition_id, lane, after, limit, *values],
        )
        return int(cursor.fetchone()[0])


def of_stream(
    game_id: int,
    stream: str,
    *,
    lane: int,
    version: int,
    upto: int,
    limit: int,
    types: tuple[str, ...] | None = None,
) -> list[LoggedEvent]:
    """Return up to ``limit`` events of a stream in a lane, from a version on, up to an offset; in order.

    The stream's index is walked; ``types`` as in ``batch``.
    """
    payload, values = payload_columns(types)
    return select_events(
        payload,
        'game_id = %s AND stream = %s AND version >= %s AND lane = %s AND "offset" <= %s'
        " ORDER BY version LIMIT %s",
        [*values, game_id, stream, version, lane, upto, limit],
    )


def one(event_pk: int) -> LoggedEvent | None:
    """Return the event with this id, or None."""
    found = select_events(payload_columns(None)[0], "id = %s", [event_pk])
    return found[0] if found else None


def many(event_pks: Sequence[int]) -> list[LoggedEvent]:
    """Return the events with these ids, in their order."""
    if not event_pks:
        return []
    marks = ", ".join(["%s"] * len(event_pks))
    return select_events(payload_columns(None)[0], f"id IN ({marks}) ORDER BY id", list(event_pks))


def stream(game_id: int, name: str, after: int, limit: int) -> list[LoggedEvent]:
    """Return up to ``limit`` events of a stream that come after a version, in order."""
    return select_events(
        payload_columns(None)[0],
        "game_id = %s AND stream = %s AND version > %s ORDER BY version LIMIT %s",
        [game_id, name, after, limit],
    )


def page(
    *,
    game_id: int,
    stream: str | None = None,
    type: str | None = None,
    partition_id: int | None = None,
    after: int = 0,
    limit: int = 100,
) -> list[Event]:
    """Return events of a game for the read API, in the order of their ids (partition, offset).

    With ``stream`` the order is the stream's and ``after`` is a version; otherwise
    ``after`` is an event's id.
    """
    events = Event.objects.filter(game_id=game_id)
    if type is not None:
        events = events.filter(type=type)
    if stream is not None:
        if partition_id is not None:
            events = events.filter(partition_id=partition_id)
        return list(events.filter(stream=stream, version__gt=after).order_by("version")[:limit])
    rows: list[Event] = []
    for each in sorted(partition_ids(game_id)) if partition_id is None else [partition_id]:
        begin, end = event_pk(each, 0), event_pk(each + 1, 0)
        if (
            after < end and len(rows) < limit
        ):  # by ranges of the primary key: other games' events are not walked
            rows += events.filter(id__gt=max(begin, after), id__lt=end).order_by("id")[: limit - len(rows)]
    return rows


def payload_columns(types: tuple[str, ...] | None) -> tuple[str, list[str]]:
    """Return the columns of the payload, left out of other types than these, and the values in them."""
    if types is None:
        return "data, data_encoding, traceparent", []
    wanted, patterns = prefixes_match(types)
    return f"CASE WHEN {wanted} THEN data END, data_encoding, traceparent", patterns


def prefixes_match(types: tuple[str, ...] | None) -> tuple[str, list[str]]:
    """Return the condition that an event's type begins with one of these, and the values in it."""
    if types is None:
        return "1 = 1", []
    if not types:
        return "1 = 0", []
    # not LIKE: SQLite's takes capital letters for small ones
    return " OR ".join(f"substr(type, 1, {len(prefix)}) = %s" for prefix in types), list(types)


def select_events(payload: str, where: str, values: Sequence[Any]) -> list[LoggedEvent]:
    """Return the events that a condition finds; ``payload`` comes from ``payload_columns``."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {_PLAIN}, {payload} FROM events_event WHERE {where}", values)  # noqa: S608 - names are ours, values are bound
        rows = cursor.fetchall()
    if connection.vendor == "sqlite":
        rows = [_with_times(row) for row in rows]
    return [LoggedEvent(**dict(zip(_FIELDS, row, strict=True))) for row in rows]


def _with_times(row: Sequence[Any]) -> list[Any]:
    """Make SQLite's times aware; raw cursors bypass the ORM's converters."""
    values = list(row)
    for index in _TIMES:
        moment: datetime | None = values[index]
        values[index] = moment.replace(tzinfo=UTC) if moment else None
    return values
