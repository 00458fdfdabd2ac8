"""From when on the newest events of a game were appended, found without counting one."""

from collections.abc import Mapping
from datetime import datetime

from events.log.partitions import partition_ids
from events.log.rows import event_pk
from events.models import Event, Partition

CLOSE = 100
"""It is near enough when so many events, or one in a hundred, more than asked for are kept."""

Range = tuple[int, int]
"""Offsets: the last known to be older, the first known to be newer."""


def older_than_newest(game_id: int, count: int) -> datetime | None:
    """Return a time before which none of the ``count`` newest events was appended; None when there are not more.

    Offsets rise with time and have no holes, so a partition's events since a time are counted by
    finding one offset: some twenty look-ups by key for each of about twenty times.
    """
    heads = dict(Partition.objects.filter(id__in=partition_ids(game_id)).values_list("id", "head"))
    if sum(heads.values()) <= count:
        return None
    ranges: dict[int, Range] = {partition: (0, head + 1) for partition, head in heads.items()}
    best: datetime | None = None
    while (slack := sum(high - low - 1 for low, high in ranges.values())) > 0:
        pivot = _middle_of_the_widest(ranges)
        newer = {partition: first_since(partition, pivot, ranges[partition]) for partition in ranges}
        kept = sum(heads[partition] - first + 1 for partition, first in newer.items())
        if kept >= count:
            best = pivot
            if kept - count <= max(CLOSE, count // 100):
                return best
            ranges = {
                partition: (max(low, newer[partition] - 1), high) for partition, (low, high) in ranges.items()
            }
        else:
            ranges = {
                partition: (low, min(high, newer[partition])) for partition, (low, high) in ranges.items()
            }
        if sum(high - low - 1 for low, high in ranges.values()) == slack:
            break  # many events of one instant: none of them may be told from the others
    return best


def _middle_of_the_widest(ranges: Mapping[int, Range]) -> datetime:
    partition, (low, high) = max(ranges.items(), key=lambda item: item[1][1] - item[1][0])
    return _recorded(partition, (low + high) // 2)


def first_since(partition_id: int, moment: datetime, within: Range) -> int:
    """Return the first offset within a range that was appended at that time or later; the range's end if none."""
    low, high = within
    while high - low > 1:
        middle = (low + high) // 2
        if _recorded(partition_id, middle) >= moment:
            high = middle
        else:
            low = middle
    return high


def _recorded(partition_id: int, offset: int) -> datetime:
    return Event.objects.values_list("recorded", flat=True).get(pk=event_pk(partition_id, offset))
