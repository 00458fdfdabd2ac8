"""A dry run of the decisions hub: what would be decided now about what has happened, beside what was.

Each event is judged by today's rules at the time of its stored decision, or of its recording
where there is none. It ends at the checkpoints, and writes nothing but its own counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from events.log.logged import LoggedEvent
from events.log.replaying import partition_after
from events.models import Replay
from events.replays.job import Job, Stepped
from events.replays.pace import at_once
from events.replays.places import bounds_between, length, reached, spot_of
from events.replays.standing import look_at_checkpoints
from notifications import rulebook
from notifications.decisions.projection import Matter, matter_of
from notifications.engine import CompiledRule, Missed, Reached
from notifications.hubs import DECISIONS
from notifications.models import Decision
from notifications.replays.judging import is_readable, judged, views_of
from notifications.replays.tally import Tally

KIND = "decide-again"
PAGE = 100
JUDGED = 2_000
"""About so many players in one step, outside any transaction."""

Key = tuple[int, int, str]
"""Event, rule, player."""


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some events of one partition, judged."""

    partition_id: int
    through: int
    read: int
    judged: int
    unreadable: int
    tally: Tally


class DecideAgain(Job):
    """What all rules would decide now, compared with the stored decisions."""

    kind = KIND
    title = "Decide again, as a dry run"

    def targets(self) -> list[str]:
        """Return the hub."""
        return [DECISIONS.name]

    def begin(self, replay: Replay) -> None:
        """Find the part of each partition that the hub has passed."""
        replay.trial = True
        begins, ends = spot_of(replay.begins, "begins"), spot_of(replay.ends, "ends")
        reach = reached(DECISIONS.name, replay.game_id)
        replay.bounds = bounds_between(replay.game_id, begins, ends, reach)
        replay.total = length(replay.bounds)

    def prepare(self, replay: Replay) -> Page | None:
        """Judge the next events; nothing is locked meanwhile."""
        for partition, (after, through) in replay.bounds.items():
            at = replay.cursor.get("offsets", {}).get(partition, after)
            if at < through:
                events = partition_after(int(partition), at, through, at_once(replay, PAGE))
                return _judge(replay, int(partition), events, through)
        return None

    def work(self, replay: Replay, prepared: Page | None) -> Stepped:
        """Note what was found."""
        if prepared is None:
            return Stepped(read=0, over=True)
        offsets = {**replay.cursor.get("offsets", {}), str(prepared.partition_id): prepared.through}
        replay.cursor = {**replay.cursor, "offsets": offsets}
        replay.done = sum(at - replay.bounds[each][0] for each, at in offsets.items())
        replay.events += prepared.judged
        replay.without_payload += prepared.unreadable
        replay.result = {**replay.result, **prepared.tally.stored()}
        return Stepped(read=prepared.read, over=False)


def _judge(replay: Replay, partition_id: int, events: Sequence[LoggedEvent], through: int) -> Page:
    """Judge events until they are enough for one step."""
    tally, rules = Tally(replay), rulebook.active(replay.game_id)
    standing = look_at_checkpoints(DECISIONS, partition_id, {event.stream for event in events})
    matters: list[Matter] = []
    players = unreadable = read = 0
    reaches = through
    for event in events:
        if players >= JUDGED:
            break
        read, reaches = read + 1, event.offset
        if not standing.has_applied(event):
            tally.count("left", "skipped by staff" if standing.has_skipped(event) else "to live")
        elif not is_readable(event):
            unreadable += 1
        else:
            matters.append(matter_of(event, rules.get(event.type, ()), event.recorded))
            players += sum(len(found.players) for _, found in matters[-1].found)
    _compare(replay, matters, tally)
    return Page(
        partition_id=partition_id, through=reaches, read=max(1, read), judged=len(matters), unreadable=unreadable,
        tally=tally,
    )  # fmt: skip


def _compare(replay: Replay, matters: Sequence[Matter], tally: Tally) -> None:
    views = views_of(replay.game_id, matters)
    stored = _stored(matters)
    moments = {(event, rule): now for (event, rule, _), (_, now) in stored.items()}
    would: dict[Key, str] = {}
    ruled = set()
    for matter, rule, found in _pairs(matters):
        ruled.add((matter.event.id, rule.rule_id))
        now = moments.get((matter.event.id, rule.rule_id), matter.event.recorded)
        for decision in judged(rule, matter, found, views, now):
            would[matter.event.id, rule.rule_id, decision.player] = decision.outcome
            tally.count("outcomes", decision.outcome)
            if decision.content is not None:
                tally.meet([decision.player])
    _differences(would, {key: outcome for key, (outcome, _) in stored.items()}, ruled, tally)


def _pairs(matters: Sequence[Matter]) -> Iterator[tuple[Matter, CompiledRule, Reached | Missed]]:
    for matter in matters:
        for rule, found in matter.found:
            yield matter, rule, found


def _stored(matters: Sequence[Matter]) -> dict[Key, tuple[str, datetime]]:
    rows = Decision.objects.filter(event_id__in=[matter.event.id for matter in matters])
    found = rows.values_list("event_id", "rule_id", "player_key", "outcome", "now")
    return {(event, rule, key): (outcome, now) for event, rule, key, outcome, now in found}


def _differences(
    would: Mapping[Key, str], stored: Mapping[Key, str], ruled: set[tuple[int, int]], tally: Tally
) -> None:
    """Count what is the same and what is not; ``ruled`` are the pairs of event and rule that were judged."""
    for key in sorted(would.keys() | stored.keys()):
        now, was = would.get(key, ""), stored.get(key, "")
        if now == was:
            tally.count("compared", "same")
            continue
        if now and was:
            name = "other outcome"
        elif now:
            name = "never decided"
        else:
            name = "would not be decided now" if key[:2] in ruled else "rule is off or of another type now"
        tally.count("compared", name)
        tally.sample("differing", *key, was, now)
