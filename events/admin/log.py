"""The log, read-only, and what waits to get into it."""

from collections.abc import Callable
from typing import ClassVar

import orjson
from django.contrib import admin
from django.utils.html import format_html_join
from unfold.contrib.filters.admin import FieldTextFilter
from unfold.decorators import display

from events.admin.lists import EMPTY, ReadOnlyAdmin, ago, code, list_of
from events.models import Event, OutboxEvent, Partition

LANE_COLOURS = {"urgent": "danger", "normal": "info", "bulk": "warning"}


class ExactText(FieldTextFilter):
    """Filters by the exact text, which an index can serve."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        """Match the whole value."""
        super().__init__(*args, **kwargs)
        self.lookup_kwarg = self.field_path
        self.parameter_name = self.field_path

    def expected_parameters(self) -> list[str]:
        """Return the one parameter."""
        return [self.field_path]


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    """Each event with its place, its data, and what came of it."""

    list_display = ("type", "lane_name", "stream", "version", "partition", "offset", "recorded_ago")
    list_display_links = ("type",)
    list_filter = ("game", "lane")
    list_select_related = ("partition", "game")
    ordering = ("-recorded", "-id")
    search_fields = ("event_id__exact", "stream__exact", "type__exact")
    search_help_text = "the whole id, stream or type of an event"
    fields = (
        "type", "came_of_it", "pretty_data", "game", "stream", "version", "lane_name", "partition", "offset", "event_id",
        "source", "subject", "time", "recorded", "expires", "datacontenttype", "dataschema", "pretty_extensions",
        "traceparent", "payload_hex", "digest_hex",
    )  # fmt: skip
    readonly_fields = fields
    empty_hint = "Events appear here as game servers append them: POST /api/v1/events"
    related: ClassVar[list[Callable[[Event], str]]] = []
    """Rooms to the left add links to what came of an event."""

    def get_search_results(self, request, queryset, search_term):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - Django's signature
        """Look in the indexed columns only, one after the other."""
        term = search_term.strip()
        if not term:
            return queryset, False
        return queryset.filter(stream=term) if not queryset.filter(
            event_id=term
        ).exists() else queryset.filter(event_id=term), False

    @display(description="lane", label=LANE_COLOURS)
    def lane_name(self, obj: Event) -> str:
        """Name the lane."""
        return obj.get_lane_display()

    @display(description="recorded", ordering="recorded")
    def recorded_ago(self, obj: Event) -> str:
        """Say when it was appended."""
        return ago(obj.recorded)

    @display(description="what came of it")
    def came_of_it(self, obj: Event) -> str:
        """Link to decisions and notifications, and to the rest of the stream."""
        links = [render(obj) for render in self.related]
        links.append(list_of(Event, "its stream", game__id__exact=obj.game_id, q=obj.stream))
        return format_html_join(" · ", "{}", ((each,) for each in links))

    @display(description="data")
    def pretty_data(self, obj: Event) -> str:
        """Show the data; JSON is indented for reading, the log keeps it as it came."""
        if obj.data is None:
            return EMPTY if obj.data_encoding == "" else "erased"
        return code(_indented(obj.data) if obj.data_encoding == "json" else obj.data)

    @display(description="other attributes")
    def pretty_extensions(self, obj: Event) -> str:
        """Show the CloudEvents attributes that have no column."""
        return code(_indented(obj.extensions)) if obj.extensions != "{}" else EMPTY

    @display(description="digest")
    def digest_hex(self, obj: Event) -> str:
        """Show the chain's digest."""
        return bytes(obj.digest).hex()

    @display(description="payload digest")
    def payload_hex(self, obj: Event) -> str:
        """Show the payload's digest."""
        return bytes(obj.payload_digest).hex()


@admin.register(Partition)
class PartitionAdmin(ReadOnlyAdmin):
    """The heads of each partition."""

    list_display = ("game", "number", "head", "urgent_head", "normal_head", "bulk_head")
    list_filter = ("game",)
    list_select_related = ("game",)
    fields = ("game", "number", "head", "urgent_head", "normal_head", "bulk_head")


@admin.register(OutboxEvent)
class OutboxEventAdmin(ReadOnlyAdmin):
    """Events that Clarion itself causes, on their way into the log."""

    list_display = ("type", "game", "stream", "created_ago", "appended_ago")
    list_filter = ("game",)
    ordering = ("-id",)
    fields = ("type", "game", "event_id", "stream", "lane", "created", "appended")
    empty_hint = "Nothing waits. Erasures, claims and staff actions pass through here into the log."

    @display(description="written")
    def created_ago(self, obj: OutboxEvent) -> str:
        """Say when the change was made."""
        return ago(obj.created)

    @display(description="appended")
    def appended_ago(self, obj: OutboxEvent) -> str:
        """Say when it reached the log."""
        return ago(obj.appended)


def _indented(text: str) -> str:
    try:
        return orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode()
    except orjson.JSONDecodeError:
        return text
