"""Where each hub stands, and what it had to park."""

from django.contrib import admin
from unfold.decorators import display

from events.admin.lists import ReadOnlyAdmin, ago, code, link_to
from events.admin.log import LANE_COLOURS
from events.log.read import lane_head_column
from events.log.rows import event_pk
from events.models import Checkpoint, DeadLetter, Event


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    """Each hub x partition x lane with its checkpoint and the lane's head."""

    list_display = (
        "hub",
        "partition",
        "lane_name",
        "position",
        "head",
        "behind",
        "processed",
        "advanced_ago",
        "paused",
    )
    list_filter = ("hub", "lane", "paused", "partition__game")
    list_select_related = ("partition",)
    fields = (
        "hub", "partition", "lane_name", "position", "head", "behind", "processed", "advanced", "paused", "noted_position",
        "noted_tries", "noted_at", "alone_left",
    )  # fmt: skip
    readonly_fields = fields
    empty_hint = "Checkpoints are made with the first game."

    @display(description="lane", label=LANE_COLOURS)
    def lane_name(self, obj: Checkpoint) -> str:
        """Name the lane."""
        return obj.get_lane_display()

    @display(description="lane head")
    def head(self, obj: Checkpoint) -> int:
        """Return the offset of the lane's last event."""
        return int(getattr(obj.partition, lane_head_column(obj.lane)))

    @display(description="state", label={"up to date": "success", "behind": "warning", "paused": "info"})
    def behind(self, obj: Checkpoint) -> str:
        """Say whether events wait. Offsets count all lanes, so their difference is no number of events."""
        if obj.paused:
            return "paused"
        return "behind" if self.head(obj) > obj.position else "up to date"

    @display(description="advanced", ordering="advanced")
    def advanced_ago(self, obj: Checkpoint) -> str:
        """Say when it last moved."""
        return ago(obj.advanced)


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Parked streams: what failed, where, how often."""

    list_display = (
        "event_type",
        "hub",
        "lane_name",
        "stream",
        "version",
        "cause",
        "tries",
        "created_ago",
        "state",
    )
    list_filter = ("hub", "lane", "game", ("resolved", admin.EmptyFieldListFilter))
    ordering = ("-created",)
    fields = (
        "event_type", "event", "hub", "game", "lane_name", "stream", "version", "cause", "where", "tries", "created",
        "resolved",
    )  # fmt: skip
    readonly_fields = fields
    empty_hint = "Nothing is parked. An event that a hub fails on three times alone would appear here."

    @display(description="lane", label=LANE_COLOURS)
    def lane_name(self, obj: DeadLetter) -> str:
        """Name the lane."""
        return obj.get_lane_display()

    @display(description="event")
    def event(self, obj: DeadLetter) -> str:
        """Link to the event that failed."""
        return link_to(
            Event(id=event_pk(obj.partition_id, obj.event_offset), type=obj.event_type), "the event"
        )

    @display(description="traceback")
    def where(self, obj: DeadLetter) -> str:
        """Show where it failed; values are left out."""
        return code(obj.traceback)

    @display(description="parked", ordering="created")
    def created_ago(self, obj: DeadLetter) -> str:
        """Say since when."""
        return ago(obj.created)

    @display(description="state", label={"waiting": "danger", "resolved": "success"})
    def state(self, obj: DeadLetter) -> str:
        """Say whether it still waits."""
        return "resolved" if obj.resolved else "waiting"
