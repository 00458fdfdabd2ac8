"""Checking a partition against its promises: gapless offsets, whole chain, versions, heads."""

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, F, Max

from events.lanes import Lane
from events.log import digests
from events.log.erasing import Recorded, recorded_at
from events.log.read import lane_count_column, lane_head_column
from events.log.rows import HASHED, hashed
from events.models import Event, Partition

_NEEDED = {*HASHED, "id", "data", "salt", "payload_digest", "digest"}


def verify_partition(partition_id: int) -> list[str]:
    """Return what is wrong with a partition, in words with the numbers; an empty list is content.

    Reads the whole partition: one pass in the order of offsets. A payload that was erased is
    missed by nobody as long as its erasure is on record.
    """
    partition = Partition.objects.get(id=partition_id)
    return [f"partition {partition}: {finding}" for finding in _findings(partition)]


def _findings(partition: Partition) -> Iterator[str]:
    expected, previous = 1, digests.GENESIS
    lanes = {int(lane): 0 for lane in Lane}
    counts = {int(lane): 0 for lane in Lane}
    yield from _miscounted(partition.id)
    rows = Event.objects.filter(partition_id=partition.id).order_by("offset").values(*_NEEDED)
    erasures: Recorded | None = None
    for row in rows.iterator(chunk_size=2_000):
        erasures = erasures or Recorded(partition.id)  # after the events: what was erased by then is in it
        offset = row["offset"]
        if offset != expected:
            yield f"offset {expected} is missing (found {offset})"
        yield from _unrecorded(row, erasures)
        yield from _broken(row, previous)
        expected, previous = offset + 1, bytes(row["digest"])
        lanes[row["lane"]] = offset
        counts[row["lane"]] += 1
    if partition.head != expected - 1:
        yield f"head is {partition.head}, the last event is at {expected - 1}"
    if bytes(partition.digest) != previous:
        yield "the partition's digest is not the last event's"
    for lane, last in lanes.items():
        if (head := getattr(partition, lane_head_column(lane))) != last:
            yield f"{Lane(lane).label} head is {head}, the last event of that lane is at {last}"
    for lane, count in counts.items():
        if (said := getattr(partition, lane_count_column(lane))) != count:
            yield f"{Lane(lane).label} count is {said}, that lane has {count} events"


def _miscounted(partition_id: int) -> Iterator[str]:
    """Count the versions of each stream; it lies in one partition as a whole."""
    streams = Event.objects.filter(partition_id=partition_id).values("stream")
    counted = streams.annotate(count=Count("id"), last=Max("version")).exclude(count=F("last"))
    for row in counted.order_by("stream").iterator():
        yield f"stream {row['stream']} is at version {row['last']} and has {row['count']} events"


def _unrecorded(row: dict[str, Any], erasures: Recorded) -> Iterator[str]:
    """Compare what is missing with what was erased on record. What differs is read once more: erasing goes on."""
    missing, offset = row["data"] is None and row["salt"] is None, row["offset"]
    if missing == erasures.has(offset):
        return
    if missing and recorded_at(row["partition_id"], offset) is None:
        yield f"the payload at offset {offset} is missing, and no erasure of it is on record"
    if not missing and Event.objects.filter(id=row["id"], data__isnull=False).exists():
        yield f"the payload at offset {offset} is there, though its erasure is on record"


def _broken(row: dict[str, Any], previous: bytes) -> Iterator[str]:
    payload = bytes(row["payload_digest"])
    erased = row["salt"] is None and row["data"] is None
    if not erased and digests.payload_digest(bytes(row["salt"] or b""), row["data"]) != payload:
        yield f"the payload at offset {row['offset']} is not the one that was appended"
    if digests.event_digest(previous, hashed(row), payload) != bytes(row["digest"]):
        yield f"the chain breaks at offset {row['offset']}"
