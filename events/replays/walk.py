"""Which streams a rebuild takes up next, and how far it is: reads the log, locks nothing.

The walk goes through each partition by offset. A stream is taken up at its first event
within the replay's part; so what is done and what is not follows from one offset, whatever
live appends meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from events.errors import ReplayRefused
from events.hubs.projection import Hub
from events.log.partitions import number_of, partition_ids
from events.log.replaying import Place, has_any, is_known_earlier, places, stream_after
from events.log.rows import event_pk
from events.models import Replay
from events.replays.fold import Fold
from events.replays.hold import fitting
from events.replays.pace import at_once

WALKED = 400
"""Places of the log looked at in one step, without payloads."""
STREAMS = 25
"""Streams in one step."""


@dataclass(frozen=True, kw_only=True)
class Todo:
    """One stream to be folded again, from a version on."""

    stream: str
    version: int  # after this one
    before: int  # the walk stands at this offset until the stream is done
    since: int | None = None  # id of the first event of the replay's part; None is the whole stream
    state: str = ""  # carried from the page before


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one step is to do, in one partition."""

    partition_id: int
    todo: Sequence[Todo] = ()
    owners: dict[str, int] = field(default_factory=dict)
    walked: int  # places looked at
    reaches: int  # the walk's offset once all of it is done
    strays_after: str | None = None  # the walk is over; this is the last stream looked at without one


def narrow(replay: Replay, hub: Hub, fold: Fold[Any]) -> None:
    """Narrow a replay to one stream.

    Raises:
        ReplayRefused: the log has nothing of it that this fold has read.
    """
    partition_id = _partition_of(replay, replay.stream)
    bound = replay.bounds.get(str(partition_id), [0, 0])
    if not has_any(replay.game_id, replay.stream, bound[1], hub.lanes, fold.types):
        raise ReplayRefused(f"the {fold.name} have read no event of a stream {replay.stream}", "stream")
    replay.bounds = {str(partition_id): bound}
    replay.total = 1


def plan_next(replay: Replay, hub: Hub, fold: Fold[Any]) -> Plan | None:
    """Return what the next step is to do; None when all is done."""
    opened = replay.cursor.get("open")
    if opened:
        partition_id = _partition_of(replay, opened["stream"])
        todo = Todo(**opened, state=replay.carried)
        return Plan(
            partition_id=partition_id,
            todo=[todo],
            walked=0,
            reaches=todo.before,
            strays_after=replay.cursor.get("stray"),
        )
    if replay.stream:
        return _plan_one(replay, hub, fold)
    return _plan_walk(replay, hub, fold) or _plan_strays(replay, hub, fold)


def _plan_one(replay: Replay, hub: Hub, fold: Fold[Any]) -> Plan | None:
    """Plan the only stream, once."""
    if replay.cursor.get("over"):
        return None
    partition_id = _partition_of(replay, replay.stream)
    todo = Todo(stream=replay.stream, version=0, before=0)
    if not replay.options["whole"]:
        after, through = replay.bounds[str(partition_id)]
        first = _first_from(replay, hub, fold, after, through)
        if first is None:
            return None
        todo = _todo(replay, partition_id, first, 0)
    return Plan(partition_id=partition_id, todo=[todo], walked=0, reaches=0)


def _first_from(replay: Replay, hub: Hub, fold: Fold[Any], after: int, through: int) -> Place | None:
    """Return the stream's first event of this fold within the bounds, walking its versions in pages."""
    version = 0
    while found := stream_after(replay.game_id, replay.stream, version, WALKED, ()):
        for event in found:
            if after < event.offset <= through and event.lane in hub.lanes and fold.concerns(event):
                return Place(event.offset, event.stream, event.version, event.type)
        version = found[-1].version
    return None


def _plan_walk(replay: Replay, hub: Hub, fold: Fold[Any]) -> Plan | None:
    """Walk on through the log: streams are taken up at their first event within the replay's part."""
    for partition, (after, through) in replay.bounds.items():
        at = replay.cursor.get("offsets", {}).get(partition, after)
        if at >= through:
            continue
        limit = at_once(replay, WALKED)
        seen = places(int(partition), hub.lanes, at, through, limit)
        todo, walked, reaches = _news(replay, hub, fold, int(partition), seen)
        if walked == len(seen) < limit:
            reaches = through
        return Plan(partition_id=int(partition), todo=todo, walked=max(1, walked), reaches=reaches)
    return None


def _news(
    replay: Replay, hub: Hub, fold: Fold[Any], partition_id: int, seen: Sequence[Place]
) -> tuple[list[Todo], int, int]:
    """Return the streams that begin among these places, how many places that takes, and where it ends."""
    after, _ = replay.bounds[str(partition_id)]
    most = fitting(replay, STREAMS)
    todo: dict[str, Todo] = {}
    offset = after
    for count, place in enumerate(seen):
        if len(todo) >= most:
            return list(todo.values()), count, offset
        if place.stream not in todo and (fold.types is None or place.type.startswith(fold.types)):
            known = is_known_earlier(replay.game_id, place, after + 1, hub.lanes, fold.types)
            if not known:
                todo[place.stream] = _todo(replay, partition_id, place, place.offset - 1)
        offset = place.offset
    return list(todo.values()), len(seen), offset


def _todo(replay: Replay, partition_id: int, place: Place, before: int) -> Todo:
    if replay.options["whole"]:
        return Todo(stream=place.stream, version=0, before=before)
    since = event_pk(partition_id, place.offset)
    return Todo(stream=place.stream, version=place.version - 1, before=before, since=since)


def _plan_strays(replay: Replay, hub: Hub, fold: Fold[Any]) -> Plan | None:
    """Look for rows of streams of which the log knows nothing: a fresh fold would not have them."""
    after = replay.cursor.get("strays", "")
    if not replay.options["whole"] or after is None:
        return None
    found = fold.streams(replay.game_id, after, at_once(replay, WALKED))
    if not found:
        return None
    for count, stream in enumerate(found):
        partition_id = _partition_of(replay, stream)
        through = replay.bounds.get(str(partition_id), [0, 0])[1]
        if not has_any(replay.game_id, stream, through, hub.lanes, fold.types):
            todo = [Todo(stream=stream, version=0, before=through)]
            return Plan(
                partition_id=partition_id, todo=todo, walked=count + 1, reaches=through, strays_after=stream
            )
    partition_id = _partition_of(replay, found[-1])
    reaches = replay.bounds.get(str(partition_id), [0, 0])[1]
    return Plan(partition_id=partition_id, walked=len(found), reaches=reaches, strays_after=found[-1])


def _partition_of(replay: Replay, stream: str) -> int:
    ids = partition_ids(replay.game_id)
    return ids[number_of(stream, len(ids))]


def leave(replay: Replay, plan: Plan, todo: Todo) -> None:
    """Go on after a stream that is done."""
    replay.cursor = {name: value for name, value in replay.cursor.items() if name not in {"open", "stray"}}
    replay.carried = ""
    if replay.stream:
        replay.cursor = {**replay.cursor, "over": True}
        replay.done = 1
    elif plan.strays_after is None:
        stand_at(replay, plan.partition_id, todo.before + 1)


def go_past(replay: Replay, plan: Plan) -> None:
    """Go on after all that was planned."""
    if plan.strays_after is not None:
        replay.cursor = {**replay.cursor, "strays": plan.strays_after}
    elif not replay.stream:
        stand_at(replay, plan.partition_id, plan.reaches)


def stand_at(replay: Replay, partition_id: int, offset: int) -> None:
    """Let the walk of a partition stand at an offset."""
    offsets = dict(replay.cursor.get("offsets", {}))
    after, through = replay.bounds.get(str(partition_id), [0, 0])
    offsets[str(partition_id)] = max(after, min(through, offset), offsets.get(str(partition_id), after))
    replay.cursor = {**replay.cursor, "offsets": offsets}
    replay.done = sum(at - replay.bounds[each][0] for each, at in offsets.items() if each in replay.bounds)
