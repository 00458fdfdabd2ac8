"""The events of one type that a replay goes through next, partition by partition."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from events.hubs.projection import Prepared
from events.log.logged import LoggedEvent
from events.log.replaying import Moment, moment_before, of_type
from events.models import Replay
from events.replays.hold import fitting
from events.replays.pace import at_once
from events.replays.standing import look_at_checkpoints
from notifications.hubs import DECISIONS
from notifications.replays.judging import is_readable
from notifications.replays.late import LateDecisions
from notifications.replays.tally import Tally
from notifications.retention.sweeps import decisions_complete_from

EVENTS = 100
"""In one page."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """The next events of the rule's type in one partition, by time of recording."""

    partition_id: int
    events: Sequence[LoggedEvent]
    ends: bool  # the partition, with the last of these events
    tally: Tally
    decided: Sequence[LoggedEvent] = ()  # those that the projection has prepared
    projection: LateDecisions | None = None
    prepared: Prepared | None = None

    def upto(self, count: int) -> "Page":
        """Return the page with its first events only."""
        return self if count >= len(self.events) else replace(self, events=self.events[:count], ends=False)


def next_page(replay: Replay, event_type: str) -> Page | None:
    """Return the next page; None when all have been gone through."""
    for partition, (after, through) in replay.bounds.items():
        if replay.cursor.get("offsets", {}).get(partition, after) >= through:
            continue
        limit = at_once(replay, fitting(replay, EVENTS))
        events = of_type(
            game_id=replay.game_id, type=event_type, partition_id=int(partition), span=(after, through),
            after=_moment(replay, partition, after), limit=limit,
        )  # fmt: skip
        return Page(partition_id=int(partition), events=events, ends=len(events) < limit, tally=Tally(replay))
    return None


def _moment(replay: Replay, partition: str, after: int) -> Moment:
    """Return after which moment the walk goes on."""
    stood = replay.cursor.get("moments", {}).get(partition)
    if stood is None:
        return moment_before(int(partition), after + 1)
    return Moment(datetime.fromisoformat(stood[0]), stood[1])


def left_out(page: Page) -> dict[int, str]:
    """Return the events, by id, about which nothing can be decided now, and why."""
    streams = {event.stream for event in page.events}
    standing = look_at_checkpoints(DECISIONS, page.partition_id, streams)
    waiting = {event.id: "to live" for event in page.events if not standing.has_applied(event)}
    gone = {event.id: "without payload" for event in page.events if not is_readable(event)}
    skipped = {event.id: "skipped by staff" for event in page.events if standing.has_skipped(event)}
    return gone | too_old(page) | waiting | skipped


def too_old(page: Page, *, hold: bool = False) -> dict[int, str]:
    """Return the events, by id, whose decisions may have been removed by age: again would be twice."""
    if not page.events:
        return {}
    kept = decisions_complete_from(page.events[0].game_id, hold=hold)
    return {
        event.id: "decisions of that time are gone"
        for event in page.events
        if kept is not None and event.recorded < kept
    }


def count_left(page: Page, left: dict[int, str]) -> None:
    """Count the events of a page about which nothing can be decided."""
    for event in page.events:
        if event.id in left:
            page.tally.count("left", left[event.id])


def go_on(replay: Replay, page: Page) -> None:
    """Move the walk to the end of the page."""
    partition, moments = str(page.partition_id), replay.cursor.get("moments", {})
    after, through = replay.bounds[partition]
    offsets = dict(replay.cursor.get("offsets", {}))
    if page.events:
        last = page.events[-1]
        moments = {**moments, partition: [last.recorded.isoformat(), last.id]}
        passed = max(offsets.get(partition, after), last.offset)
        offsets[partition] = min(passed, through - 1)  # only the end says that it is over
    if page.ends:
        offsets[partition] = through
    replay.cursor = {**replay.cursor, "offsets": offsets, "moments": moments}
    replay.done = sum(at - replay.bounds[each][0] for each, at in offsets.items())
