"""Checking a partition against its promises: gapless offsets, whole chain, versions, heads, witnesses."""

from collections.abc import Iterator
from typing import Any

from django.db import connection
from django.db.models import Count, F, Max

from events.lanes import Lane
from events.log import digests
from events.log.erasing import Recorded, recorded_at
from events.log.partitions import number_of
from events.log.read import lane_count_column, lane_head_column
from events.log.rows import HASHED, event_pk, hashed
from events.models import Event, Partition, Witness

_NEEDED = ("id", *HASHED, "data", "salt", "payload_digest", "digest")
PAGE = 2_000


def verify_partition(partition_id: int) -> list[str]:
    """Return what is wrong with a partition, in words with the numbers; an empty list is content.

    Reads the whole partition: one pass in the order of offsets, page by page, up to the head that
    it had at first; so it holds no snapshot, and appending may go on. A payload that was erased
    is missed by nobody as long as its erasure is on record.
    """
    return list(partition_findings(partition_id))


def partition_findings(partition_id: int) -> Iterator[str]:
    """Yield what ``verify_partition`` returns, as it is found."""
    witnesses = list(Witness.objects.filter(partition_id=partition_id).order_by("head"))  # before the head
    partition = Partition.objects.select_related("game").get(id=partition_id)
    for finding in _findings(partition, witnesses):
        yield f"partition {partition}: {finding}"


def _findings(partition: Partition, witnesses: list[Witness]) -> Iterator[str]:
    expected, previous = 1, digests.GENESIS
    lanes = {int(lane): 0 for lane in Lane}
    counts = {int(lane): 0 for lane in Lane}
    seen = {witness.head: witness for witness in witnesses}
    yield from _miscounted(partition)
    erasures: Recorded | None = None
    for row in _rows(partition):
        erasures = erasures or Recorded(partition.id)  # after the events: what was erased by then is in it
        offset = row["offset"]
        if offset != expected:
            yield f"offset {expected} is missing (found {offset})"
        yield from _unrecorded(row, erasures)
        yield from _broken(row, previous)
        yield from _astray(row, partition)
        expected, previous = offset + 1, bytes(row["digest"])
        lanes[row["lane"]] = offset
        counts[row["lane"]] += 1
        if offset in seen and bytes(seen[offset].digest) != previous:
            yield f"the event at offset {offset} is not the one that was seen there {_when(seen[offset])}"
    yield from _ends(partition, expected - 1, previous)
    yield from _lanes(partition, lanes, counts)
    if witnesses and (last := witnesses[-1]).head > partition.head:
        yield (f"head is {partition.head}, {_when(last)} it was {last.head}: the end was cut off")


def _when(witness: Witness) -> str:
    return f"at {witness.seen:%Y-%m-%d %H:%M} UTC"


def _rows(partition: Partition) -> Iterator[dict[str, Any]]:
    """Read page by page, each by itself: what is below the head never changes, erasing excepted."""
    after, last = event_pk(partition.id, 0), event_pk(partition.id, partition.head)
    while True:
        page = list(Event.objects.filter(id__gt=after, id__lte=last).order_by("id").values(*_NEEDED)[:PAGE])
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]["id"]


def _ends(partition: Partition, last: int, digest: bytes) -> Iterator[str]:
    if partition.head != last:
        yield f"head is {partition.head}, the last event is at {last}"
    if bytes(partition.digest) != digest:
        yield "the partition's digest is not the last event's"
    with connection.cursor() as cursor:  # one statement, one instant
        cursor.execute(
            "SELECT p.head, (SELECT max(e.id) FROM events_event e WHERE e.id > (p.id << 40) + p.head"
            " AND e.id < ((p.id + 1) << 40)) FROM events_partition p WHERE p.id = %s",
            [partition.id],
        )
        head, beyond = cursor.fetchone()
    if beyond is not None:
        yield f"head is {head}, there are events beyond it up to offset {beyond - event_pk(partition.id, 0)}"


def _lanes(partition: Partition, lanes: dict[int, int], counts: dict[int, int]) -> Iterator[str]:
    for lane, last in lanes.items():
        if (head := getattr(partition, lane_head_column(lane))) != last:
            yield f"{Lane(lane).label} head is {head}, the last event of that lane is at {last}"
    for lane, count in counts.items():
        if (said := getattr(partition, lane_count_column(lane))) != count:
            yield f"{Lane(lane).label} count is {said}, that lane has {count} events"


def _miscounted(partition: Partition) -> Iterator[str]:
    """Count the versions of each stream; it lies in one partition as a whole."""
    upto = event_pk(partition.id, partition.head)
    streams = Event.objects.filter(id__gt=event_pk(partition.id, 0), id__lte=upto).values("stream")
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


def _astray(row: dict[str, Any], partition: Partition) -> Iterator[str]:
    """Ask whether the event belongs here: a whole chain may be the work of somebody who did not know."""
    if row["game_id"] != partition.game_id:
        yield f"the event at offset {row['offset']} belongs to game {row['game_id']}"
    number = number_of(row["stream"], partition.game.partitions)
    if number != partition.number:
        yield f"the stream of the event at offset {row['offset']} belongs to partition number {number}"
