"""What the *Hubs* screen tells: each hub's lanes in sum, and single checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from events.hubs.progress import STALLED_S, age_of, lag_in_events, lags, oldest
from events.hubs.sampling import Course, course, samples
from events.lanes import Lane

NOTED_S = 3.0
"""A note that is older belongs to a process that has ended, or has failed."""


@dataclass(frozen=True, kw_only=True)
class Spot:
    """One checkpoint as it stands now."""

    pk: int
    lane: Lane
    position: int
    head: int
    events: int  # lag
    oldest_s: float
    passed: int
    moved_s: float
    paused: bool
    holder: str  # host:pid that noted it last
    held: bool  # it works on it now

    @property
    def state(self) -> str:
        """Say in a word how it is."""
        if self.paused:
            return "paused"
        if self.head <= self.position:
            return "up to date"
        late = min(self.oldest_s, self.moved_s) > STALLED_S[self.lane]
        return "stalled" if late else "working" if self.held else "behind"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One lane of a hub, over all partitions."""

    hub: str
    lane: Lane
    partitions: int
    waiting: int
    paused: int
    stalled: int
    events: int
    oldest_s: float
    moved_s: float
    passed: int
    course: Course
    curve: tuple[int, ...]  # the lag in events during the last minutes, oldest first

    @property
    def state(self) -> str:
        """Say in a word how it is."""
        if self.stalled:
            return "stalled"
        if self.paused:
            return "paused"
        return "behind" if self.waiting else "up to date"


def rows() -> list[Row]:
    """Return each hub's lanes, by hub; four queries whatever there is."""
    history, now = samples(), datetime.now(UTC)
    found = []
    for lag in sorted(lags(), key=lambda each: (each.hub, each.lane)):
        past = history.get((lag.hub, lag.lane), [])
        found.append(
            Row(
                hub=lag.hub, lane=Lane(lag.lane), partitions=lag.partitions, waiting=lag.waiting, paused=lag.paused,
                stalled=lag.stalled, events=lag.events, oldest_s=lag.oldest_s, moved_s=lag.moved_s, passed=lag.passed,
                course=course(past, now, lag.passed, lag.events), curve=tuple(row.events for row in past),
            )
        )  # fmt: skip
    return found


def spots(checkpoint_ids: Sequence[int]) -> dict[int, Spot]:
    """Return these checkpoints as they stand, by id; one query."""
    if not checkpoint_ids:
        return {}
    marks = ", ".join(["%s"] * len(checkpoint_ids))
    parts = [
        f"SELECT c.id, c.lane, c.position, p.{lane.label}_head, {lag_in_events(lane)}, {oldest(lane)}, c.passed,"  # noqa: S608 - our columns
        " c.advanced, c.paused, c.holder, c.noted_at FROM events_checkpoint c"
        f" JOIN events_partition p ON p.id = c.partition_id WHERE c.lane = {lane:d} AND c.id IN ({marks})"
        for lane in Lane
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), [*checkpoint_ids] * len(parts))
        return {row[0]: _spot(row) for row in cursor.fetchall()}


def _spot(row: Sequence[Any]) -> Spot:
    pk, lane, position, head, events, recorded, passed, advanced, paused, holder, noted = row
    return Spot(
        pk=pk, lane=Lane(lane), position=position, head=head, events=events, oldest_s=age_of(recorded), passed=passed,
        moved_s=age_of(advanced), paused=bool(paused), holder=holder,
        held=noted is not None and age_of(noted) < NOTED_S,
    )  # fmt: skip
