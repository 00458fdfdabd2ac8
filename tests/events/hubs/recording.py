"""A projection that writes down what it processes, in the hub's transaction."""

from collections.abc import Callable, Sequence

from django.db import connection

from events.hubs.projection import AfterCommit, Prepared, Projection
from events.log.logged import LoggedEvent
from events.models import OutboxEvent


class Recording(Projection):
    """Leaves one row per event; the outbox table serves, because every hub's tests have it.

    ``on_apply`` may raise: then nothing of the batch may stay.
    """

    name = "recording"

    def __init__(self, hub: str, on_apply: Callable[[LoggedEvent], None] | None = None) -> None:
        """Write under the hub's name; call ``on_apply`` with each event before it is written."""
        self.hub = hub
        self.on_apply = on_apply
        self.batches: list[int] = []

    def apply(self, events: Sequence[LoggedEvent], prepared: Prepared) -> AfterCommit | None:
        """Write one row per event; a second one for the same event violates a constraint."""
        assert connection.in_atomic_block
        self.batches.append(len(events))
        for event in events:
            if self.on_apply:
                self.on_apply(event)
        OutboxEvent.objects.bulk_create(
            OutboxEvent(
                game_id=event.game_id, event_id=f"{self.hub}:{event.id}", type="seen", stream=event.stream,
                data=str(event.version), appended=event.recorded,
            )
            for event in events
        )  # fmt: skip
        return None

    def seen(self, game_id: int) -> list[tuple[str, int]]:
        """Return (stream, version) in the order of processing."""
        rows = OutboxEvent.objects.filter(game_id=game_id, event_id__startswith=f"{self.hub}:").order_by("id")
        return [(stream, int(data)) for stream, data in rows.values_list("stream", "data")]
