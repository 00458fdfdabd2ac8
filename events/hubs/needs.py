"""Whose payloads are still needed: of events that a hub has yet to process, or may process again."""

from collections.abc import Callable, Iterable, Sequence

from events.hubs.registry import hubs
from events.lanes import Lane
from events.log.erasing import Place
from events.models import Checkpoint, DeadLetter

Need = Callable[[Sequence[int]], dict[int, str]]
"""Takes ids of events; returns why it still reads the payloads of some, by id, as half a sentence."""

_needs: dict[str, Need] = {}


def register_need(name: str, need: Need) -> None:
    """Let a room to the left say which payloads it still reads, such as those of unfinished audiences."""
    _needs[name] = need


def needed(found: Sequence[Place]) -> dict[int, str]:
    """Return which of these events' payloads are still needed, by id, and why, as half a sentence.

    Checkpoints are read before everything else. Whatever comes to need an event later (a dead
    letter, an audience) is written together with the checkpoint that passes it; so what
    was behind all checkpoints, and is needed by nobody now, never will be again.
    """
    positions = _positions({place.partition_id for place in found})
    waiting = {place.id: name for place in found if (name := _behind(place, positions))}
    parked = _parked(found)
    for need in _needs.values():
        waiting |= need([place.id for place in found])
    return waiting | parked


def behind(found: Sequence[Place]) -> set[int]:
    """Return which of these events, by id, a hub has still to process: all later ones of that lane wait too."""
    positions = _positions({place.partition_id for place in found})
    return {place.id for place in found if _behind(place, positions)}


Positions = dict[tuple[int, int], tuple[int, str]]
"""By partition and lane: how far the slowest hub is, and its name."""


def _positions(partition_ids: Iterable[int]) -> Positions:
    rows = list(
        Checkpoint.objects.filter(partition_id__in=partition_ids).values_list(
            "partition_id", "lane", "position", "hub"
        )
    )
    slowest: Positions = {}
    for partition, lane, position, hub in [*rows, *_unmade(partition_ids, rows)]:
        slowest[partition, lane] = min(slowest.get((partition, lane), (position, hub)), (position, hub))
    return slowest


def _unmade(
    partition_ids: Iterable[int], rows: Sequence[tuple[int, int, int, str]]
) -> list[tuple[int, int, int, str]]:
    """Return the checkpoints that hubs of a new release will begin with."""
    made = {(hub, partition, lane) for partition, lane, _, hub in rows}
    return [
        (partition, int(lane), 0, hub.name)
        for partition in partition_ids
        for hub in hubs()
        for lane in hub.lanes
        if (hub.name, partition, int(lane)) not in made
    ]


def _behind(place: Place, positions: Positions) -> str:
    position, hub = positions.get((place.partition_id, place.lane), (place.offset, ""))
    if place.offset <= position:
        return ""
    return f"the hub {hub} has not processed it yet (its {Lane(place.lane).label} lane is at {position})"


def _parked(found: Sequence[Place]) -> dict[int, str]:
    letters = DeadLetter.objects.filter(
        partition_id__in={place.partition_id for place in found}, resolved=None
    ).values_list("partition_id", "lane", "stream", "version", "hub")
    first: dict[tuple[int, int, str], tuple[int, str]] = {}
    for partition, lane, stream, version, hub in letters:
        key = (partition, lane, stream)
        first[key] = min(first.get(key, (version, hub)), (version, hub))
    return {place.id: reason for place in found if (reason := _waits_behind(place, first))}


def _waits_behind(place: Place, first: dict[tuple[int, int, str], tuple[int, str]]) -> str:
    version, hub = first.get((place.partition_id, place.lane, place.stream), (place.version + 1, ""))
    return (
        f"its stream is parked for the hub {hub} from version {version} on"
        if place.version >= version
        else ""
    )
