"""How far hubs are: lag by lane, and waiting for a place in the log."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from events.connections import give_back
from events.lanes import Lane
from events.log.read import lane_head_column
from events.models import Checkpoint


@dataclass(frozen=True, kw_only=True)
class Lag:
    """How far a hub is behind in one lane, over all partitions."""

    hub: str
    lane: int
    waiting: int  # partitions with work
    oldest_s: float  # age of the oldest event that waits; 0 when none does


def lags() -> list[Lag]:
    """Return the lag of each hub and lane that has checkpoints; one look-up per partition with work."""
    return [lag for lane in Lane for lag in _lags_of(lane)]


def _lags_of(lane: Lane) -> list[Lag]:
    head = lane_head_column(lane)
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.hub, count(*) FILTER (WHERE p.{head} > c.position), min(CASE WHEN p.{head} > c.position THEN"  # noqa: S608 - our column
            " (SELECT e.recorded FROM events_event e WHERE e.partition_id = c.partition_id AND e.lane = c.lane"
            ' AND e."offset" > c.position ORDER BY e."offset" LIMIT 1) END)'
            " FROM events_checkpoint c JOIN events_partition p ON p.id = c.partition_id"
            " WHERE c.lane = %s GROUP BY c.hub ORDER BY c.hub",
            [lane],
        )
        rows = cursor.fetchall()
    return [Lag(hub=hub, lane=lane, waiting=waiting, oldest_s=_age(oldest)) for hub, waiting, oldest in rows]


def _age(oldest: datetime | str | None) -> float:
    if oldest is None:
        return 0.0
    moment = datetime.fromisoformat(oldest).replace(tzinfo=UTC) if isinstance(oldest, str) else oldest
    return max(0.0, (datetime.now(UTC) - moment).total_seconds())


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
