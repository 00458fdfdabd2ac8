"""Where a hub stands in one partition, held still for the length of a transaction."""

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import QuerySet

from events.hubs.projection import Hub
from events.log.logged import LoggedEvent
from events.models import Checkpoint, DeadLetter, Skip


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a hub has processed of a partition: up to a position in each lane, but for parked streams."""

    positions: dict[int, int]  # by lane
    parked: dict[tuple[int, str], int]  # by lane and stream: the version from which it waits
    skips: dict[tuple[int, str], list[tuple[int, int]]]  # by lane and stream: first and last version

    def is_left_out(self, stream: str) -> bool:
        """Tell whether a stream waits in any lane, or staff have skipped some of it."""
        return any(named == stream for _, named in (*self.parked, *self.skips))

    def has_skipped(self, event: LoggedEvent) -> bool:
        """Tell whether staff have decided that the hub never processes this event."""
        ranges = self.skips.get((event.lane, event.stream), ())
        return any(first <= event.version <= last for first, last in ranges)

    def has_applied(self, event: LoggedEvent) -> bool:
        """Tell whether the hub has been at this event, and has processed it."""
        waits_from = self.parked.get((event.lane, event.stream))
        if waits_from is not None and event.version >= waits_from:
            return False
        return event.offset <= self.positions.get(event.lane, 0) and not self.has_skipped(event)


def hold_checkpoints(hub: Hub, partition_id: int, streams: Collection[str]) -> Standing:
    """Lock a hub's checkpoints of a partition, in the order of their ids, and read where these streams stand.

    Until the transaction ends neither the live run nor a dead letter's drain or skip moves them.
    """
    return _standing(hub, partition_id, streams, Checkpoint.objects.select_for_update(no_key=True))


def look_at_checkpoints(hub: Hub, partition_id: int, streams: Collection[str]) -> Standing:
    """Read where these streams of a hub stand in a partition at this moment, without holding it."""
    return _standing(hub, partition_id, streams, Checkpoint.objects.all())


def _standing(
    hub: Hub, partition_id: int, streams: Collection[str], checkpoints: QuerySet[Checkpoint]
) -> Standing:
    rows = checkpoints.filter(hub=hub.name, partition_id=partition_id, lane__in=hub.lanes)
    positions = dict(rows.order_by("id").values_list("lane", "position"))
    here = {"hub": hub.name, "partition_id": partition_id, "stream__in": set(streams)}
    letters = DeadLetter.objects.filter(**here, resolved=None)
    parked = {
        (lane, stream): version for lane, stream, version in letters.values_list("lane", "stream", "version")
    }
    skips: dict[tuple[int, str], list[tuple[int, int]]] = {}
    for lane, stream, first, last in Skip.objects.filter(**here).values_list(
        "lane", "stream", "first", "last"
    ):
        skips.setdefault((lane, stream), []).append((first, last))
    return Standing(positions=positions, parked=parked, skips=skips)
