"""What hubs had to park."""

from django.contrib import admin
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RelatedDropdownFilter
from unfold.decorators import display

from events.admin.cells import EMPTY, Cell, ago, at, code, link_to, list_of, mono
from events.admin.lists import ReadOnlyAdmin
from events.admin.log import LANE_COLOURS
from events.log.rows import event_pk
from events.models import DeadLetter, Event


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Parked streams: what failed, where, how often."""

    list_display = (
        "event_type",
        "hub",
        "lane_name",
        "game",
        "in_stream",
        "cause",
        "tries",
        "created_ago",
        "state",
    )
    list_filter = (
        ("resolved", admin.EmptyFieldListFilter),
        "hub",
        ("lane", ChoicesDropdownFilter),
        ("game", RelatedDropdownFilter),
    )
    list_select_related = ("game",)
    ordering = ("-created",)
    fields = readonly_fields = (
        "state", "event", "hub", "lane_name", "game", "in_stream", "version", "cause", "tries", "where", "created_at",
        "resolved_at",
    )  # fmt: skip
    empty_hint = "Nothing is parked. An event that a hub fails on three times alone would appear here."

    @display(description="lane", ordering="lane", label=LANE_COLOURS)
    def lane_name(self, obj: DeadLetter) -> str:
        """Name the lane."""
        return obj.get_lane_display()

    @display(description="stream")
    def in_stream(self, obj: DeadLetter) -> Cell:
        """Link to the stream, all of which waits in this lane from that version on."""
        return list_of(Event, obj.stream, game__id__exact=obj.game_id, q=obj.stream)

    @display(description="event")
    def event(self, obj: DeadLetter) -> Cell:
        """Link to the event that failed."""
        failed = Event(id=event_pk(obj.partition_id, obj.event_offset))
        return link_to(failed, f"{obj.event_type}, version {obj.version}")

    @display(description="traceback")
    def where(self, obj: DeadLetter) -> Cell:
        """Show where it failed; values are left out."""
        return code(obj.traceback) if obj.traceback else mono("the process ended each time")

    @display(description="parked", ordering="created")
    def created_ago(self, obj: DeadLetter) -> Cell:
        """Say since when."""
        return ago(obj.created)

    @display(description="parked")
    def created_at(self, obj: DeadLetter) -> Cell:
        """Say since when, exactly."""
        return at(obj.created)

    @display(description="resolved")
    def resolved_at(self, obj: DeadLetter) -> Cell:
        """Say since when it goes on."""
        return at(obj.resolved) if obj.resolved else EMPTY

    @display(description="state", label={"waiting": "danger", "resolved": "success"})
    def state(self, obj: DeadLetter) -> str:
        """Say whether it still waits."""
        return "resolved" if obj.resolved else "waiting"
