"""Where a hub stands in one partition, held still for the length of a transaction."""

from dataclasses import dataclass

from django.db.models import QuerySet

from events.hubs.projection import Hub
from events.log.logged import LoggedEvent
from events.models import Checkpoint, DeadLetter


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What a hub has processed of a partition: up to a position in each lane, but for parked streams."""

    positions: dict[int, int]  # by lane
    parked: dict[tuple[int, str], int]  # by lane and stream: the version from which it waits

    def is_parked(self, stream: str) -> bool:
        """Tell whether a stream waits in any lane."""
        return any(parked == stream for _, parked in self.parked)

    def has_applied(self, event: LoggedEvent) -> bool:
        """Tell whether the hub has been at this event."""
        waits_from = self.parked.get((event.lane, event.stream))
        if waits_from is not None and event.version >= waits_from:
            return False
        return event.offset <= self.positions.get(event.lane, 0)


def hold_checkpoints(hub: Hub, partition_id: int) -> Standing:
    """Lock a hub's checkpoints of a partition, in the order of their ids, and read where they stand.

    Until the transaction ends neither the live run nor a dead letter's drain moves them.
    """
    return _standing(hub, partition_id, Checkpoint.objects.select_for_update(no_key=True))


def look_at_checkpoints(hub: Hub, partition_id: int) -> Standing:
    """Read where a hub stands in a partition at this moment, without holding it."""
    return _standing(hub, partition_id, Checkpoint.objects.all())


def _standing(hub: Hub, partition_id: int, checkpoints: QuerySet[Checkpoint]) -> Standing:
    rows = checkpoints.filter(hub=hub.name, partition_id=partition_id, lane__in=hub.lanes)
    positions = dict(rows.order_by("id").values_list("lane", "position"))
    letters = DeadLetter.objects.filter(hub=hub.name, partition_id=partition_id, resolved=None)
    parked = {
        (lane, stream): version for lane, stream, version in letters.values_list("lane", "stream", "version")
    }
    return Standing(positions=positions, parked=parked)
