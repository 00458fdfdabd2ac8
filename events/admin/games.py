"""Games and their event types."""

import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextareaWidget

from events import games, staff
from events.admin.cells import Cell, ago, at, link_to, list_of
from events.admin.fields import JSONArea, Lines
from events.admin.filters import GameFilter
from events.admin.lists import ConsoleAdmin
from events.admin.log import LANE_COLOURS
from events.lanes import Lane
from events.limits import Limit, contradictions
from events.models import Event, EventType, Game, Partition
from events.models.games import DEFAULT_PARTITIONS
from events.schemas import schema_problems
from events.tenancy import create_game

PARTITIONS_MAX = 256
LIMITS: tuple[str, ...] = tuple(
    f"{lane.label}_lag_{what}" for lane in reversed(Lane) for what in ("events", "age_s")
)
BEHIND = (
    "When hubs are too far behind, events are refused: 429, or refused items of a batch, each with the seconds after"
    " which to come again. Bulk first, urgent last. What Clarion appends itself is never refused. Empty is no limit."
)
_ORIGIN = re.compile(r"\*|https?://[^\s/?#@]+", re.IGNORECASE)


class GameForm(forms.ModelForm):
    """Takes origins line by line; partitions only for a new game."""

    allowed_origins = Lines(
        required=False,
        help_text="Web origins from which players' pages may connect, one on each line, such as"
        " https://play.example. None allows only clients that send no Origin, and Clarion's own pages;"
        " * allows every origin.",
    )
    cut_into = forms.IntegerField(
        label="partitions",
        required=False,
        min_value=1,
        max_value=PARTITIONS_MAX,
        initial=DEFAULT_PARTITIONS,
        widget=UnfoldAdminIntegerFieldWidget(),
        help_text="Into how many partitions the log is cut: so many writers can append, and so many"
        " workers follow, at the same time. It can never be changed.",
    )

    class Meta:
        model = Game
        fields: ClassVar = ["slug", "name", "strict", "allowed_origins", *LIMITS]
        labels: ClassVar = {
            f"{lane.label}_lag_{what}": f"{lane.label}: {said}"
            for lane in Lane
            for what, said in (("events", "events waiting"), ("age_s", "seconds waiting"))
        }

    def clean(self) -> dict[str, Any]:
        """Refuse limits by which a lane would be refused before a less urgent one."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        told = [
            Limit(
                events=cleaned.get(f"{lane.label}_lag_events"), age_s=cleaned.get(f"{lane.label}_lag_age_s")
            )
            for lane in Lane
        ]
        if not self.errors.keys() & set(LIMITS):
            for lane, what, sentence in contradictions(told):
                self.add_error(f"{lane.label}_lag_{what}", sentence)
        return cleaned

    def clean_allowed_origins(self) -> list[str]:
        """Refuse what no browser would send as an origin."""
        for origin in self.cleaned_data["allowed_origins"]:
            if not _ORIGIN.fullmatch(origin.rstrip("/")):
                raise forms.ValidationError(
                    f"{origin} is no origin: it takes a scheme and a host, as in https://play.example"
                )
        return list(self.cleaned_data["allowed_origins"])


@admin.register(Game)
class GameAdmin(ConsoleAdmin):
    """A game is never deleted here: its log refers to it."""

    form = GameForm
    slug_of_game = "slug"
    list_display = ("slug", "name", "mode", "partitions", "events", "made")
    search_fields = ("slug__startswith", "name__istartswith")
    search_help_text = "how the game's name begins"
    told: ClassVar = ("partitions", "events", "epoch", "announcements", "made")
    empty_hint = "No game yet. Add one here, or run: manage.py creategame SLUG"

    def get_fieldsets(self, request: HttpRequest, obj: Game | None = None) -> Any:
        """Show what belongs to a game that exists."""
        game = ("slug", "name", "strict", *(() if obj else ("cut_into",)), "allowed_origins")
        pairs = tuple(zip(LIMITS[::2], LIMITS[1::2], strict=True))
        return [
            (None, {"fields": (*game, *(self.told if obj else ()))}),
            ("How far hubs may fall behind", {"fields": pairs, "description": BEHIND}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Game | None = None) -> tuple[str, ...]:
        """Fix a game's name in URLs and its partitions when it is made."""
        return ("slug", *self.told) if obj else ()

    def has_delete_permission(self, request: HttpRequest, obj: Game | None = None) -> bool:
        """Nobody deletes a game in the console."""
        return False

    def save_model(self, request: HttpRequest, obj: Game, form: Any, change: bool) -> None:
        """Make a new game with its partitions and checkpoints."""
        if change:
            super().save_model(request, obj, form, change)
            games.forget(obj.id)
        else:
            made = create_game(
                obj.slug,
                name=obj.name,
                strict=obj.strict,
                partitions=form.cleaned_data["cut_into"] or DEFAULT_PARTITIONS,
                allowed_origins=obj.allowed_origins,
                **{name: getattr(obj, name) for name in LIMITS},
            )
            obj.pk, obj.partitions, obj.created = made.pk, made.partitions, made.created
            obj._state.adding = False
        staff.note(obj.pk, "game.saved", request.user.get_username(), changed=form.changed_data)

    @display(description="unlisted types", label={"refused": "warning", "accepted": "info"})
    def mode(self, obj: Game) -> str:
        """Say what becomes of events of unlisted types."""
        return "refused" if obj.strict else "accepted"

    @display(description="log")
    def events(self, obj: Game) -> Cell:
        """Link to the game's events, with their number: the sum of the partitions' heads."""
        heads = Partition.objects.filter(game=obj).values_list("head", flat=True)
        return list_of(Event, f"{sum(heads):,} events", game__id__exact=obj.pk)

    @display(description="made", ordering="created")
    def made(self, obj: Game) -> Cell:
        """Say when."""
        return ago(obj.created)


class EventTypeForm(forms.ModelForm):
    """Refuses a schema that is none, and a sample that the schema refuses."""

    schema = JSONArea(
        required=False,
        help_text="JSON Schema (2020-12) that data must satisfy; empty accepts any data. It may refer only to itself.",
    )
    sample = JSONArea(
        required=False,
        help_text="Example data. Rules are checked and previewed against it; paths must be in it.",
    )

    class Meta:
        model = EventType
        fields: ClassVar = ["game", "name", "lane", "description", "schema", "sample"]
        widgets: ClassVar = {"description": UnfoldAdminTextareaWidget({"rows": 2})}

    def clean(self) -> dict[str, Any]:
        """Check the schema, then the sample against it."""
        cleaned = super().clean() or {}
        for name, problem in schema_problems(cleaned.get("schema"), cleaned.get("sample")):
            self.add_error(name, problem)
        return cleaned


@admin.register(EventType)
class EventTypeAdmin(ConsoleAdmin):
    """What staff know of each type of event."""

    form = EventTypeForm
    slug_of_game = "game__slug"
    list_display = ("name", "in_game", "lane_name", "checked", "sampled", "description", "log")
    list_display_links = ("name",)
    list_filter = (("game", GameFilter), ("lane", ChoicesDropdownFilter))
    list_select_related = ("game",)
    search_fields = ("name__startswith",)
    search_help_text = "how the type begins, such as guild."
    fields = ("game", "name", "lane", "description", "schema", "sample")
    empty_hint = "Types are optional: an event of an unlisted type is accepted in the normal lane."
    watchers: ClassVar[list[Callable[[EventType], Iterable[str]]]] = []
    """Rooms to the left say what no longer fits a type as it was saved."""

    def get_fields(self, request: HttpRequest, obj: EventType | None = None) -> tuple[str, ...]:
        """Show what belongs to a type that exists."""
        return (*self.fields, "log", "changed") if obj else self.fields

    def get_readonly_fields(self, request: HttpRequest, obj: EventType | None = None) -> tuple[str, ...]:
        """Keep a type in its game, under its name: events and rules refer to it."""
        return ("game", "name", "log", "changed") if obj else ()

    def save_model(self, request: HttpRequest, obj: EventType, form: Any, change: bool) -> None:
        """Take effect in this process at once, elsewhere within a second."""
        super().save_model(request, obj, form, change)
        self._changed(request, obj, "saved")
        for warning in (line for watcher in self.watchers for line in watcher(obj)):
            messages.warning(request, warning)

    def delete_model(self, request: HttpRequest, obj: EventType) -> None:
        """Its events are of an unlisted type from now on."""
        super().delete_model(request, obj)
        self._changed(request, obj, "deleted")

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[EventType]) -> None:
        """Delete one by one, so that each is noted."""
        for obj in queryset:
            self.delete_model(request, obj)

    def _changed(self, request: HttpRequest, obj: EventType, what: str) -> None:
        games.forget(obj.game_id)
        staff.note(obj.game_id, f"event_type.{what}", request.user.get_username(), type=obj.name)

    @display(description="game", ordering="game__slug")
    def in_game(self, obj: EventType) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

    @display(description="lane", ordering="lane", label=LANE_COLOURS)
    def lane_name(self, obj: EventType) -> str:
        """Name the lane."""
        return obj.get_lane_display()

    @display(description="schema", boolean=True)
    def checked(self, obj: EventType) -> bool:
        """Tell whether data is checked."""
        return obj.schema is not None

    @display(description="sample", boolean=True)
    def sampled(self, obj: EventType) -> bool:
        """Tell whether rules can be checked against a sample."""
        return obj.sample is not None

    @display(description="log")
    def log(self, obj: EventType) -> Cell:
        """Link to the events of this type."""
        return list_of(Event, "its events", game__id__exact=obj.game_id, type=obj.name)

    @display(description="last changed")
    def changed(self, obj: EventType) -> Cell:
        """Say when."""
        return at(obj.updated)
