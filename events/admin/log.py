"""The log, read-only, and what waits to get into it."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from unfold.decorators import action, display

from events import erasing
from events.admin.cells import EMPTY, Cell, ago, at, beside, code, indented, link_to, list_of, mono, page_of
from events.admin.confirming import Extra, Lever, ask_about_one
from events.admin.filters import ExactText, GameFilter, Until
from events.admin.finding import find
from events.admin.lists import LargeTable, ReadOnlyAdmin, asked_games, asked_text
from events.admin.locks import end_view, locks_view
from events.errors import StillNeeded
from events.log.erasing import recorded_at
from events.models import Event, OutboxEvent, Partition

LANE_COLOURS = {"urgent": "danger", "bulk": "info"}


ERASE_PAYLOAD = Lever(
    verb="Erase the payload of",
    done="Erased the payload of",
    noun=("event", "events"),
    warning="The event's data is removed from the log for good, and what a profile was folded from it goes with it."
    " Its place, its type and the chain of digests stay. Decisions that came of it keep the values that"
    " they compared, notifications keep what they say unless you withdraw them too, and so do files that the log was"
    " exported to. This cannot be taken back.",
    pull=lambda rows, by, reason, together=(): erasing.erase([row.pk for row in rows], by, reason, together),
    final=True,
)


def _with_companions(lever: Lever, event: Event) -> Lever:
    """Offer what other rooms have made of the event to go with its payload, each with its count."""
    found = [(name, each, each.count([event.pk])) for name, each in erasing.companions().items()]
    return replace(lever, extras=tuple(_extra(name, each, count) for name, each, count in found if count))


def _extra(name: str, companion: erasing.Companion, count: int) -> Extra:
    counted = f"{count} {companion.noun[count != 1]}"
    return Extra(
        name=name,
        label=f"Withdraw the {counted} that came of it as well",
        help="Devices take them away within seconds, unread counts fall, and their words are gone for good.",
        done=f"What came of it ({counted}) is withdrawn within seconds.",
    )


class TypeFilter(ExactText):
    """By the whole type."""

    title = "type"
    parameter_name = "type"


class RecordedUntil(Until):
    """From a time backwards."""

    field = "recorded"


@admin.register(Event)
class EventAdmin(LargeTable, ReadOnlyAdmin):
    """Each event with its place, its data, and what came of it."""

    list_display = ("type", "lane_name", "in_stream", "version", "place", "in_game", "recorded_ago")
    list_filter = (("game", GameFilter), TypeFilter, RecordedUntil)
    list_select_related = ("partition", "game")
    ordering = ("-recorded", "-id")
    lookups = frozenset({"game__id__exact", "type", "until"})
    search_fields = ("stream",)
    search_help_text = "a whole stream, a whole id, or a place such as 3:1200 (partition:offset)"
    fieldsets = (
        (None, {"fields": ("type", "came_of_it", "consequences")}),
        ("What came", {"fields": ("pretty_data", "event_id", "source", "subject", "time_at", "expires_at")}),
        ("Place in the log", {"fields": ("in_game", "in_stream", "version", "lane_name", "place", "recorded_at")}),
        (
            "Fine print",
            {
                "fields": ("datacontenttype", "dataschema", "pretty_extensions", "traceparent", "digests"),
                "classes": ("collapse",),
            },
        ),
    )  # fmt: skip
    empty_hint = "Events appear here as game servers append them: POST /api/v1/events"
    history = True
    actions_detail = ("erase_this",)
    related: ClassVar[list[Callable[[Event], Cell]]] = []
    """Rooms to the left add links to what came of an event."""
    told: ClassVar[list[Callable[[Event], Cell]]] = []
    """Rooms to the left add what they have to tell on the event's own page."""

    def has_erase_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Erasing a payload needs the right to delete."""
        return bool(request.user.has_perm("events.delete_event"))

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer to erase what is there."""
        event = self.get_object(request, object_id)
        return super().get_actions_detail(request, object_id) if event and event.data is not None else []

    @action(description="Erase payload…", url_path="erase-payload", icon="ink_eraser", permissions=["erase"])
    def erase_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take this event's payload out of the log."""
        event = self.get_object(request, object_id)
        try:
            lever = _with_companions(ERASE_PAYLOAD, event) if event else ERASE_PAYLOAD
            return ask_about_one(self, request, event, lever)
        except StillNeeded as error:
            messages.error(request, f"{error}.")
            return HttpResponseRedirect(page_of(event))

    def get_readonly_fields(self, request: HttpRequest, obj: Event | None = None) -> list[str]:
        """Nothing in the log is ever edited."""
        return [name for _, part in self.fieldsets for name in part["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Event]:
        """Leave payloads to the event's own page."""
        rows: QuerySet[Event] = super().get_queryset(request)
        return rows.defer("data", "extensions", "salt")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Event], search_term: str
    ) -> tuple[QuerySet[Event], bool]:
        """Leave the search to the branches: what it means depends on what it finds."""
        return queryset, False

    def branches(self, request: HttpRequest, found: QuerySet[Any]) -> list[QuerySet[Any]]:
        """One branch a game: by time, by type and time, or what the search means."""
        games = asked_games(request)
        if term := asked_text(request, "q"):
            return find(term, games, found)
        return [found.filter(game_id=game) for game in games]

    @display(description="lane", label=LANE_COLOURS)
    def lane_name(self, obj: Event) -> str:
        """Name the lane."""
        return obj.get_lane_display()

    @display(description="stream")
    def in_stream(self, obj: Event) -> Cell:
        """Link to the rest of the stream."""
        return list_of(Event, obj.stream, game__id__exact=obj.game_id, q=obj.stream)

    @display(description="game")
    def in_game(self, obj: Event) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

    @display(description="place")
    def place(self, obj: Event) -> Cell:
        """Say where it stands: partition and offset, as the API answers them."""
        return mono(f"{obj.partition.number}:{obj.offset}")

    @display(description="recorded")
    def recorded_ago(self, obj: Event) -> Cell:
        """Say when it was appended."""
        return ago(obj.recorded)

    @display(description="recorded")
    def recorded_at(self, obj: Event) -> Cell:
        """Say when it was appended, exactly."""
        return at(obj.recorded)

    @display(description="happened")
    def time_at(self, obj: Event) -> Cell:
        """Say when it happened by the game's clock."""
        return at(obj.time)

    @display(description="expires")
    def expires_at(self, obj: Event) -> Cell:
        """Say until when it is of use."""
        return at(obj.expires)

    @display(description="see also")
    def came_of_it(self, obj: Event) -> Cell:
        """Link to decisions and notifications, and to its like."""
        return beside([
            *(render(obj) for render in self.related),
            list_of(Event, "events of this type", game__id__exact=obj.game_id, type=obj.type),
        ])  # fmt: skip

    @display(description="what came of it")
    def consequences(self, obj: Event) -> Cell:
        """Tell what other rooms know of it."""
        return beside(render(obj) for render in self.told)

    @display(description="data")
    def pretty_data(self, obj: Event) -> Cell:
        """Show the data; JSON is indented for reading, the log keeps it as it came."""
        if obj.data is None:
            return EMPTY if obj.data_encoding == "" else _erased(obj)
        return code(indented(obj.data) if obj.data_encoding == "json" else obj.data)

    @display(description="other attributes")
    def pretty_extensions(self, obj: Event) -> Cell:
        """Show the CloudEvents attributes that have no column."""
        return code(indented(obj.extensions)) if obj.extensions != "{}" else EMPTY

    @display(description="digests")
    def digests(self, obj: Event) -> Cell:
        """Show the payload's digest and the chain's."""
        return code(f"payload  {bytes(obj.payload_digest).hex()}\nchain    {bytes(obj.digest).hex()}")


def _erased(event: Event) -> Cell:
    """Say who took the payload, why and when."""
    record = recorded_at(event.partition_id, event.offset)
    if record is None:
        return "erased, and nothing on record says by whom"
    by = f" by {record.by}" if record.by else ""
    reason = f": {record.reason}" if record.reason else ""
    return beside([f"erased{by}, because {record.get_why_display()}{reason}", at(record.at)])


@admin.register(Partition)
class PartitionAdmin(ReadOnlyAdmin):
    """The heads of each partition."""

    list_display = ("number", "game", "head", "urgent_head", "normal_head", "bulk_head")
    list_filter = (("game", GameFilter),)
    list_select_related = ("game",)
    fields = readonly_fields = ("game", "number", "head", "urgent_head", "normal_head", "bulk_head")
    sortable_by = ()
    empty_hint = "Partitions are made with a game."

    def get_urls(self) -> list[Any]:
        """Add the screen of whoever holds a partition, and the lever on it."""
        view = self.admin_site.admin_view
        return [
            path("locks/", view(partial(locks_view, self)), name="events_partition_locks"),
            path(
                "locks/<int:pid>/<str:started>/", view(partial(end_view, self)), name="events_partition_end"
            ),
            *super().get_urls(),
        ]


class OutboxWaiting(admin.SimpleListFilter):
    """What is not in the log yet: the part of the outbox that matters."""

    title = "state"
    parameter_name = "waiting"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer it."""
        return [("1", "waiting")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Follow the partial index."""
        return queryset.filter(appended=None) if self.value() == "1" else queryset


@admin.register(OutboxEvent)
class OutboxEventAdmin(LargeTable, ReadOnlyAdmin):
    """Events that Clarion itself causes, on their way into the log."""

    list_display = ("type", "game", "stream", "state", "created_ago", "appended_ago")
    list_filter = (OutboxWaiting,)
    list_select_related = ("game",)
    ordering = ("-id",)
    lookups = frozenset({"waiting"})
    fields = readonly_fields = (
        "type", "game", "event_id", "stream", "lane", "pretty_data", "created_ago", "appended_ago",
    )  # fmt: skip
    empty_hint = "Nothing yet. Erasures, claims and staff actions pass through here into the log."

    @display(description="state", label={"in the log": "success", "waiting": "warning"})
    def state(self, obj: OutboxEvent) -> str:
        """Say whether it still waits."""
        return "in the log" if obj.appended else "waiting"

    @display(description="data")
    def pretty_data(self, obj: OutboxEvent) -> Cell:
        """Show the data."""
        return code(indented(obj.data))

    @display(description="written")
    def created_ago(self, obj: OutboxEvent) -> Cell:
        """Say when the change was made."""
        return ago(obj.created)

    @display(description="appended")
    def appended_ago(self, obj: OutboxEvent) -> Cell:
        """Say when it reached the log."""
        return ago(obj.appended)
