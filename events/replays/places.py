"""From where to where: a time, or a place such as ``3:1200``."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.utils.dateparse import parse_datetime

from events.errors import ReplayRefused
from events.lanes import Lane
from events.log.partitions import partition_ids
from events.log.replaying import offset_before
from events.models import Checkpoint, Partition

FIGURES = 18
Bounds = dict[str, list[int]]
"""Partition id (as text, for JSON) to [after this offset, through this one]."""


@dataclass(frozen=True, kw_only=True)
class Spot:
    """A point in a game's log. Neither field set: the log's beginning, or its end."""

    moment: datetime | None = None
    partition: int | None = None  # its number, from 0
    offset: int = 0


def spot_of(text: str, field: str = "") -> Spot:
    """Read what was typed: nothing, a time (UTC unless it has an offset), or ``partition:offset``.

    Raises:
        ReplayRefused: it is neither.
    """
    text = text.strip()
    if not text:
        return Spot()
    left, mark, right = text.partition(":")
    if mark and left.isdecimal() and right.isdecimal() and len(right) <= FIGURES and len(left) <= FIGURES:
        return Spot(partition=int(left), offset=int(right))
    try:
        moment = parse_datetime(text) or parse_datetime(f"{text}T00:00:00")
    except ValueError:
        moment = None
    if moment is None:
        raise ReplayRefused(
            f"“{text[:40]}” is neither a time such as 2026-11-24T12:00 nor a place such as 3:1200", field
        )
    return Spot(moment=moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment)


def bounds_between(game_id: int, begins: Spot, ends: Spot, reach: dict[int, int]) -> Bounds:
    """Return the part of each partition that lies between two spots, and within what was processed.

    ``reach`` says by partition how far that is; partitions of which nothing is left are left out.

    Raises:
        UnknownGame: there is no such game.
        ReplayRefused: there is no such partition, or the two spots are in different ones.
    """
    ids = partition_ids(game_id)
    chosen = _chosen(ids, begins, ends)
    heads = dict(Partition.objects.filter(id__in=chosen).values_list("id", "head"))
    found: Bounds = {}
    for partition_id in chosen:
        after = _before(partition_id, begins, heads[partition_id])
        through = min(reach.get(partition_id, 0), _through(partition_id, ends, heads[partition_id]))
        if through > after:
            found[str(partition_id)] = [after, through]
    return found


def reached(hub: str, game_id: int, lanes: tuple[Lane, ...] = tuple(Lane)) -> dict[int, int]:
    """Return by partition the furthest offset that a hub has processed in any of these lanes."""
    rows = Checkpoint.objects.filter(hub=hub, partition__game_id=game_id, lane__in=lanes)
    found: dict[int, int] = {}
    for partition_id, position in rows.values_list("partition_id", "position"):
        found[partition_id] = max(found.get(partition_id, 0), position)
    return found


def length(bounds: Bounds) -> int:
    """Return how many places of the log lie within."""
    return sum(through - after for after, through in bounds.values())


def _chosen(ids: tuple[int, ...], begins: Spot, ends: Spot) -> list[int]:
    numbers = {spot.partition for spot in (begins, ends) if spot.partition is not None}
    if len(numbers) > 1:
        raise ReplayRefused("both ends have to lie in the same partition", "ends")
    for number in numbers:
        if number >= len(ids):
            raise ReplayRefused(
                f"there is no partition {number}; this game's go from 0 to {len(ids) - 1}", "begins"
            )
        return [ids[number]]
    return sorted(ids)


def _before(partition_id: int, spot: Spot, head: int) -> int:
    if spot.moment is not None:
        return offset_before(partition_id, spot.moment, head)
    return max(0, spot.offset - 1)


def _through(partition_id: int, spot: Spot, head: int) -> int:
    if spot.moment is not None:
        return offset_before(partition_id, spot.moment, head)
    return head if spot.partition is None else spot.offset
