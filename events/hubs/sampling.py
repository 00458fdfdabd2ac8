"""A short history of how far hubs were, so that rates and trends are there when somebody looks.

Every process that watches the lanes offers a sample every five seconds; the first one's is
kept. No broker and no beat is needed for it. Only heads, counts and positions are read.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

from events.hubs.progress import lag_in_events
from events.lanes import Lane
from events.models import LaneSample

TICK_S = 5
KEPT_S = 600
RATE_S = 30.0
"""Over so long a rate is taken; at least over one tick."""
TREND_S = 60.0
STEADY_EVENTS, STEADY_SHARE = 10, 0.05
"""A lag that has changed by no more than this, or this share of what it was, is steady."""

_last_tick = 0


@dataclass(frozen=True, kw_only=True)
class Course:
    """Where a hub's lane is going."""

    rate: float | None  # events a second; None until there are two samples
    trend: str  # growing, shrinking, steady; empty until there are two samples


def sample(now: float | None = None) -> bool:
    """Keep a sample of this tick, unless this process or another one has; True when it was ours to try."""
    global _last_tick  # noqa: PLW0603 - one value for the process
    moment = time.time() if now is None else now
    tick = int(moment) // TICK_S
    if tick == _last_tick or LaneSample.objects.filter(tick=tick).exists():
        _last_tick = tick
        return False
    _last_tick = tick
    at = datetime.fromtimestamp(moment, UTC)
    LaneSample.objects.bulk_create(
        [
            LaneSample(hub=hub, lane=lane, tick=tick, at=at, passed=passed, events=events)
            for hub, lane, passed, events in _totals()
        ],
        ignore_conflicts=True,
    )
    LaneSample.objects.filter(tick__lt=tick - KEPT_S // TICK_S).delete()
    return True


def samples() -> dict[tuple[str, int], list[LaneSample]]:
    """Return the history by hub and lane, oldest first."""
    found: dict[tuple[str, int], list[LaneSample]] = defaultdict(list)
    for row in LaneSample.objects.order_by("tick"):
        found[row.hub, row.lane].append(row)
    return dict(found)


def course(history: Sequence[LaneSample], at: datetime, passed: int, events: int) -> Course:
    """Return rate and trend of a lane that is here now, by where it was.

    The rate is over the last half minute, the trend over the last minute.
    """
    ages = [((at - row.at).total_seconds(), row) for row in history]
    recent = next(((age, row) for age, row in ages if TICK_S / 2 <= age <= RATE_S + TICK_S), None)
    before = next((row for age, row in ages if TICK_S / 2 <= age <= TREND_S + TICK_S), None)
    return Course(
        rate=None if recent is None else max(0, passed - recent[1].passed) / recent[0],
        trend="" if before is None else trend(before.events, events),
    )


def trend(before: int, now: int) -> str:
    """Say where a lag is going that was so many events and is so many now."""
    change = now - before
    if abs(change) <= max(STEADY_EVENTS, STEADY_SHARE * before):
        return "steady"
    return "growing" if change > 0 else "shrinking"


def forget() -> None:
    """Offer a sample of the current tick again (tests empty the tables between them)."""
    global _last_tick  # noqa: PLW0603 - as above
    _last_tick = 0


def _totals() -> list[tuple[str, int, int, int]]:
    """Return (hub, lane, events passed, lag in events)."""
    parts = [
        f"SELECT c.hub, c.lane, sum(c.passed), sum({lag_in_events(lane)}) FROM events_checkpoint c"  # noqa: S608 - our columns
        f" JOIN events_partition p ON p.id = c.partition_id WHERE c.lane = {lane:d} GROUP BY c.hub, c.lane"
        for lane in Lane
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return [(hub, lane, int(passed), int(events)) for hub, lane, passed, events in cursor.fetchall()]
