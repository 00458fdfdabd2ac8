"""How far hubs are: lag by lane in events and in age, and waiting for a place in the log."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection

from events.connections import give_back
from events.lanes import Lane
from events.log.read import lane_count_column, lane_head_column
from events.models import Checkpoint

STALLED_S = {Lane.URGENT: 5.0, Lane.NORMAL: 10.0, Lane.BULK: 60.0}
"""A checkpoint whose work waits and which has not moved for longer than this is stalled."""


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far a hub is behind in one lane, over all partitions."""

    hub: str
    lane: int
    partitions: int  # that it follows
    waiting: int  # of them have work
    paused: int  # of them are paused
    stalled: int  # of them have work, are not paused, and have stood still for too long
    events: int  # that the hub has not passed, in all of them: exact, and nothing is counted for it
    oldest_s: float  # age of the oldest event that waits; 0 when none does
    passed: int  # events passed in all; its growth is the rate
    moved_s: float  # since when no checkpoint of it has moved


def lags() -> list[Lag]:
    """Return the lag of each hub and lane that has checkpoints; one look-up per partition with work."""
    return [lag for lane in Lane for lag in _lags_of(lane)]


def _lags_of(lane: Lane) -> list[Lag]:
    still = moment_text(datetime.now(UTC) - timedelta(seconds=STALLED_S[lane]))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH c AS MATERIALIZED (SELECT c.hub, c.paused, c.passed, c.advanced, {behind(lane)} AS waits,"  # noqa: S608 - our columns
            f" {lag_in_events(lane)} AS events, {oldest(lane)} AS recorded"
            " FROM events_checkpoint c JOIN events_partition p ON p.id = c.partition_id WHERE c.lane = %s)"
            " SELECT hub, sum(1), sum(CASE WHEN waits THEN 1 ELSE 0 END), sum(CASE WHEN paused THEN 1 ELSE 0 END),"
            " sum(CASE WHEN waits AND NOT paused AND recorded < %s AND advanced < %s THEN 1 ELSE 0 END),"
            " sum(events), min(recorded), sum(passed), max(advanced) FROM c GROUP BY hub ORDER BY hub",
            [lane, still, still],
        )
        rows = cursor.fetchall()
    return [
        Lag(
            hub=hub, lane=lane, partitions=partitions, waiting=waiting, paused=paused, stalled=stalled,
            events=int(events), oldest_s=age_of(recorded), passed=int(passed), moved_s=age_of(advanced),
        )
        for hub, partitions, waiting, paused, stalled, events, recorded, passed, advanced in rows
    ]  # fmt: skip


def moment_text(moment: datetime) -> datetime | str | None:
    """Return a time as this database's raw cursors take it."""
    return connection.ops.adapt_datetimefield_value(moment)


def behind(lane: Lane) -> str:
    """Return the SQL condition that a checkpoint ``c`` has work in a lane of its partition ``p``."""
    return f"p.{lane_head_column(lane)} > c.position"


def lag_in_events(lane: Lane) -> str:
    """Return the SQL of how many events of a lane a checkpoint ``c`` has not passed in its partition ``p``.

    Heads decide whether any wait: so a number that an older version left wrong never tells of work
    where there is none, nor of none where there is some.
    """
    count = f"p.{lane_count_column(lane)}"
    return f"CASE WHEN {behind(lane)} THEN CASE WHEN {count} > c.passed THEN {count} - c.passed ELSE 1 END ELSE 0 END"


def oldest(lane: Lane) -> str:
    """Return the SQL of when the first event was recorded that waits for ``c`` in ``p``; NULL for none."""
    return (
        f"CASE WHEN {behind(lane)} THEN (SELECT e.recorded FROM events_event e"  # noqa: S608 - our columns
        " WHERE e.partition_id = c.partition_id AND e.lane = c.lane"
        ' AND e."offset" > c.position ORDER BY e."offset" LIMIT 1) END'
    )


def age_of(recorded: datetime | str | None) -> float:
    """Return how many seconds ago that was; 0 for nothing. SQLite's raw times are text, or without a zone."""
    if recorded is None:
        return 0.0
    moment = datetime.fromisoformat(recorded) if isinstance(recorded, str) else recorded
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (datetime.now(UTC) - aware).total_seconds())


def settle() -> int:
    """Set right what a checkpoint that has caught up has passed; return how many were wrong.

    A process of a version that did not count yet leaves numbers behind, during a rolling
    upgrade. Where a hub stands at its lane's head, it has passed what the lane counts.
    """
    with connection.cursor() as cursor:
        return sum(_settle(cursor, lane) for lane in Lane)


def _settle(cursor: Any, lane: Lane) -> int:
    count, head = lane_count_column(lane), lane_head_column(lane)
    cursor.execute(
        f"UPDATE events_checkpoint SET passed = (SELECT p.{count} FROM events_partition p"  # noqa: S608 - our columns
        " WHERE p.id = partition_id) WHERE lane = %s AND EXISTS (SELECT 1 FROM events_partition p"
        f" WHERE p.id = partition_id AND p.{head} = position AND p.{count} <> passed)",
        [lane],
    )
    return int(cursor.rowcount)


def reached(hub: str, partition_id: int, lane: int, offset: int) -> bool:
    """Tell whether a hub has processed a lane of a partition up to this offset."""
    return Checkpoint.objects.filter(
        hub=hub, partition_id=partition_id, lane=lane, position__gte=offset
    ).exists()


def wait_until_reached(hub: str, partition_id: int, lane: int, offset: int, timeout_s: float) -> bool:
    """Wait for ``reached``, looking every 20 ms; False when the time is over first."""
    end = time.monotonic() + timeout_s
    while not reached(hub, partition_id, lane, offset):
        if time.monotonic() >= end:
            return False
        give_back()
        time.sleep(0.02)
    return True
