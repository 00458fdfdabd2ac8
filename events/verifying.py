"""Checking what follows the log, and what goes before it: checkpoints, dead letters, the outbox."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from django.db import connection

from events.hubs.registry import hubs
from events.lanes import Lane
from events.log.appending import OWN_SOURCE
from events.log.read import lane_head_column
from events.models import OutboxEvent, Partition
from events.snapshots import snapshot

UNFOLLOWED = timedelta(minutes=1)
"""For so long a lane may have events that a hub has no checkpoint for: the sweep makes it within seconds."""
PAGE = 1_000


def rows(sql: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return what a SELECT finds."""
    with connection.cursor() as cursor:
        cursor.execute(sql, list(values))
        return list(cursor.fetchall())


def followed(partition_id: int) -> Iterator[str]:
    """Yield what is wrong with the checkpoints and dead letters of a partition."""
    with snapshot():
        found = [*_checkpoints(partition_id), *_missing(partition_id), *_letters(partition_id)]
    where = Partition.objects.get(id=partition_id)
    yield from (f"partition {where}: {finding}" for finding in found)


def outbox(game_id: int) -> Iterator[str]:
    """Yield the outbox rows that are noted as appended and are not in the log as they say."""
    after = 0
    while True:
        with snapshot():
            page = list(
                OutboxEvent.objects.filter(game_id=game_id, id__gt=after, appended__isnull=False)
                .order_by("id").values_list("id", "event_id", "type", "stream")[:PAGE]
            )  # fmt: skip
            known = _logged(game_id, [row[1] for row in page])
        for _, event_id, type_, stream in page:
            if known.get(event_id) != (type_, stream):
                what = "another event has its id" if event_id in known else "it is not in the log"
                yield f"outbox: {type_} {event_id} is noted as appended, and {what}"
        if len(page) < PAGE:
            return
        after = page[-1][0]


def _logged(game_id: int, event_ids: Sequence[str]) -> dict[str, tuple[str, str]]:
    if not event_ids:
        return {}
    marks = ", ".join(["%s"] * len(event_ids))
    found = rows(
        f"SELECT event_id, type, stream FROM events_event WHERE game_id = %s AND source = %s AND event_id IN ({marks})",  # noqa: S608 - marks only
        [game_id, OWN_SOURCE, *event_ids],
    )
    return {event_id: (type_, stream) for event_id, type_, stream in found}


def _checkpoints(partition_id: int) -> Iterator[str]:
    for lane in Lane:
        found = rows(
            f"SELECT c.hub, c.position, c.passed, p.{lane_head_column(lane)} FROM events_checkpoint c"  # noqa: S608 - our column
            " JOIN events_partition p ON p.id = c.partition_id WHERE c.partition_id = %s AND c.lane = %s"
            " ORDER BY c.position, c.hub",
            [partition_id, lane],
        )
        before, counted = 0, 0
        for position, those in groupby(found, key=lambda row: row[1]):
            counted += _count(partition_id, lane, before, position)
            before = position
            there = not position or _count(partition_id, lane, position - 1, position)
            for hub, _, passed, head in those:
                yield from _checkpoint(
                    f"{hub}, {lane.label}", (position, passed, head), counted, there=bool(there)
                )


def _checkpoint(name: str, said: tuple[int, int, int], counted: int, *, there: bool) -> Iterator[str]:
    position, passed, head = said
    if position > head:
        yield f"{name}: the checkpoint is at {position}, beyond the lane's head {head}"
    elif not there:
        yield f"{name}: the checkpoint is at {position}, where there is no event of the lane"
    if passed != counted:
        yield f"{name}: the checkpoint says that it has passed {passed} events, there are {counted} up to {position}"


def _count(partition_id: int, lane: int, after: int, upto: int) -> int:
    """Count the events of a lane in (after, upto], by its index."""
    found = rows(
        'SELECT count(*) FROM events_event WHERE partition_id = %s AND lane = %s AND "offset" > %s AND "offset" <= %s',
        [partition_id, lane, after, upto],
    )
    return int(found[0][0])


def _missing(partition_id: int) -> Iterator[str]:
    """Look for lanes with events that a hub should follow, and has no place in."""
    long_ago = connection.ops.adapt_datetimefield_value(datetime.now(UTC) - UNFOLLOWED)
    old = rows(
        "SELECT DISTINCT l.lane FROM (SELECT 0 AS lane UNION ALL SELECT 1 UNION ALL SELECT 2) l"
        " WHERE (SELECT e.recorded FROM events_event e WHERE e.partition_id = %s AND e.lane = l.lane"
        ' ORDER BY e."offset" LIMIT 1) < %s',
        [partition_id, long_ago],
    )
    made = set(rows("SELECT hub, lane FROM events_checkpoint WHERE partition_id = %s", [partition_id]))
    for hub in hubs():
        for lane in sorted({row[0] for row in old} & {int(each) for each in hub.lanes}):
            if (hub.name, lane) not in made:
                yield f"{hub.name}, {Lane(lane).label}: there are events, and no checkpoint"


def _letters(partition_id: int) -> Iterator[str]:
    """Compare each dead letter with the event that it names, and open ones with their hub's checkpoint."""
    found = rows(
        "SELECT d.hub, d.lane, d.stream, d.version, d.event_offset, d.resolved, e.stream, e.version, e.lane, c.position"
        " FROM events_deadletter d LEFT JOIN events_event e ON e.id = (d.partition_id << 40) + d.event_offset"
        " LEFT JOIN events_checkpoint c ON c.hub = d.hub AND c.partition_id = d.partition_id AND c.lane = d.lane"
        " WHERE d.partition_id = %s ORDER BY d.id",
        [partition_id],
    )
    for hub, lane, stream, version, offset, resolved, *event, position in found:
        drained = resolved is not None and event[1] == version - 1  # it then stands behind its last event
        name = f"dead letter of {hub}, {Lane(lane).label}, stream {stream} from version {version}"
        if event[0] is None:
            yield f"{name}: there is no event at its offset {offset}"
        elif event != [stream, version - drained, lane]:
            yield f"{name}: the event at its offset {offset} is version {event[1]} of stream {event[0]}"
        elif resolved is None and (position is None or position < offset):
            yield f"{name}: its hub's checkpoint is at {position or 0}, before its offset {offset}"
