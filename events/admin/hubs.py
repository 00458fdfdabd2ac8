"""Where each hub stands in each lane, live; pausing and resuming it."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import NoReverseMatch, path, reverse
from unfold.contrib.filters.admin import (
    BooleanRadioFilter,
    ChoicesDropdownFilter,
)
from unfold.decorators import action, display
from unfold.views import ChangeList

from events.admin import board as wording
from events.admin.cells import EMPTY, Cell, address_of, at, link_to
from events.admin.confirming import Lever, ask, ask_about_one
from events.admin.filters import GameFilter
from events.admin.lists import ROWS, ReadOnlyAdmin
from events.admin.log import LANE_COLOURS
from events.hubs import board, pausing
from events.hubs.board import Spot
from events.lanes import Lane
from events.log.read import lane_head_column
from events.models import Checkpoint, Event

NOUN = ("checkpoint", "checkpoints")
PAUSE = Lever(
    verb="Pause",
    done="Paused",
    noun=NOUN,
    warning="Their events wait in the log, in order, until somebody resumes them; nothing is lost, players hear"
    " nothing of them meanwhile. What is being worked on now is finished or taken back. Events that wait here do not"
    " count against the game's limits.",
    pull=pausing.pause,
)
RESUME = Lever(
    verb="Resume",
    done="Resumed",
    noun=NOUN,
    warning="They go on where they stand, with all that has come meanwhile, in order. What has expired is not shown.",
    pull=pausing.resume,
)
LEVERS = {"pause": PAUSE, "resume": RESUME}


class WorkFilter(admin.SimpleListFilter):
    """By whether events wait: a lane's head is beyond the checkpoint."""

    title = "work"
    parameter_name = "work"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer both."""
        return [("1", "events wait"), ("0", "up to date")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Checkpoint]) -> QuerySet[Checkpoint]:
        """Compare each with the head of its own lane."""
        waits = Q()
        for lane in Lane:
            waits |= Q(lane=lane, **{f"partition__{lane_head_column(lane)}__gt": F("position")})
        return {"1": queryset.filter(waits), "0": queryset.exclude(waits)}.get(self.value() or "", queryset)


class Measured(ChangeList):
    """A page whose rows know how they stand, by one statement."""

    def get_results(self, request: HttpRequest) -> None:
        """Measure what the page shows, and no more."""
        super().get_results(request)
        found = board.spots([row.pk for row in self.result_list])
        for row in self.result_list:
            vars(row)["spot"] = found.get(row.pk)


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    """The *Hubs* screen: each hub's lanes in sum, and each hub x partition x lane; live, with levers."""

    list_display = (
        "hub", "lane_name", "in_game", "slice", "state", "position_now", "head_now", "lag", "oldest", "trend", "rate",
        "moved", "held_by",
    )  # fmt: skip
    list_filter = (
        "hub",
        ("lane", ChoicesDropdownFilter),
        WorkFilter,
        ("paused", BooleanRadioFilter),
        ("partition__game", GameFilter),
    )
    list_select_related = ("partition__game",)
    list_before_template = "admin/console/hubs.html"
    actions = ("pause", "resume")
    actions_detail = ("pause_this", "resume_this")
    history = True
    fields = readonly_fields = (
        "hub", "in_game", "slice", "lane_name", "behind", "lag", "next_event", "position", "head", "passed",
        "processed", "advanced_at", "paused", "holder", "noted_position", "noted_tries", "noted_at", "alone_left",
        "joined",
    )  # fmt: skip
    sortable_by = ()
    empty_hint = "Checkpoints are made with the first game."

    def get_urls(self) -> list[Any]:
        """Add the live numbers, and levers for a whole hub or lane."""
        view = self.admin_site.admin_view
        return [
            path("live/", view(self.live), name="events_checkpoint_live"),
            path("levers/<str:verb>/<str:hub>/", view(self.lever), name="events_checkpoint_hub"),
            path("levers/<str:verb>/<str:hub>/<int:lane>/", view(self.lever), name="events_checkpoint_lane"),
            *super().get_urls(),
        ]

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        """Measure the rows of a page."""
        return Measured

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """Put each hub's lanes above the list."""
        context = {
            "title": "Hubs",
            "board": wording.told(board.rows(), []),
            "poll_ms": wording.POLL_MS,
            "may_operate": self.has_operate_permission(request),
            "replays": _replays(),
        }
        return super().changelist_view(request, {**context, **(extra_context or {})})

    def live(self, request: HttpRequest) -> JsonResponse:
        """Return the numbers anew; ``ids`` are those of the page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        ids = [int(text) for text in request.GET.get("ids", "").split(",") if text.isdecimal()]
        answer = JsonResponse(wording.told(board.rows(), board.spots(ids[:ROWS]).values()))
        answer["Cache-Control"] = "no-store"
        return answer

    def lever(self, request: HttpRequest, verb: str, hub: str, lane: int | None = None) -> HttpResponse:
        """Ask about all checkpoints of a hub, or of one of its lanes, that are not so yet."""
        if verb not in LEVERS:
            raise Http404
        if not self.has_operate_permission(request):
            raise PermissionDenied
        of_lane = {} if lane is None else {"lane": lane}
        rows = Checkpoint.objects.filter(hub=hub, paused=verb == "resume", **of_lane)
        found = list(rows.select_related("partition__game").order_by("id"))
        back = address_of(Checkpoint)
        if not found:
            messages.info(request, f"There is nothing to {verb} in {hub}.")
            return HttpResponseRedirect(back)
        return ask(self, request, found, LEVERS[verb], back) or HttpResponseRedirect(back)

    @admin.action(description="Pause…", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: QuerySet[Checkpoint]) -> HttpResponse | None:
        """Pause these checkpoints."""
        return ask(self, request, list(queryset.select_related("partition__game")), PAUSE)

    @admin.action(description="Resume…", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: QuerySet[Checkpoint]) -> HttpResponse | None:
        """Resume these checkpoints."""
        return ask(self, request, list(queryset.select_related("partition__game")), RESUME)

    @action(description="Pause…", url_path="pause", icon="pause", permissions=["operate"])
    def pause_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Pause this checkpoint."""
        return ask_about_one(self, request, self.get_object(request, object_id), PAUSE)

    @action(description="Resume…", url_path="resume", icon="play_arrow", permissions=["operate"])
    def resume_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Resume this checkpoint."""
        return ask_about_one(self, request, self.get_object(request, object_id), RESUME)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer the lever that changes something."""
        paused = Checkpoint.objects.filter(pk=object_id, paused=True).exists()
        wanted = "resume_this" if paused else "pause_this"
        return [
            each
            for each in super().get_actions_detail(request, object_id)
            if each.action_name.endswith(wanted)
        ]

    @display(description="lane", ordering="lane", label=LANE_COLOURS)
    def lane_name(self, obj: Checkpoint) -> str:
        """Name the lane."""
        return obj.get_lane_display()

    @display(description="game")
    def in_game(self, obj: Checkpoint) -> Cell:
        """Link to the game."""
        return link_to(obj.partition.game)

    @display(description="partition", ordering="partition__number")
    def slice(self, obj: Checkpoint) -> Cell:
        """Link to the partition."""
        return link_to(obj.partition, str(obj.partition.number))

    @display(description="lane head")
    def head(self, obj: Checkpoint) -> int:
        """Return the offset of the lane's last event."""
        return int(getattr(obj.partition, lane_head_column(obj.lane)))

    @display(description="state")
    def state(self, obj: Checkpoint) -> Cell:
        """Say how it is."""
        return wording.cell(_spot(obj), "state")

    @display(description="checkpoint")
    def position_now(self, obj: Checkpoint) -> Cell:
        """Return the offset of the last event processed."""
        return wording.cell(_spot(obj), "position")

    @display(description="head")
    def head_now(self, obj: Checkpoint) -> Cell:
        """Return the offset of the lane's last event."""
        return wording.cell(_spot(obj), "head")

    @display(description="lag")
    def lag(self, obj: Checkpoint) -> Cell:
        """Return how many events wait."""
        return wording.cell(_spot(obj), "events")

    @display(description="oldest")
    def oldest(self, obj: Checkpoint) -> Cell:
        """Say for how long the oldest of them waits."""
        return wording.cell(_spot(obj), "oldest")

    @display(description="trend")
    def trend(self, obj: Checkpoint) -> Cell:
        """Say where the lag is going; measured while somebody looks."""
        return wording.cell(_spot(obj), "trend")

    @display(description="rate")
    def rate(self, obj: Checkpoint) -> Cell:
        """Return events a second; measured while somebody looks."""
        return wording.cell(_spot(obj), "rate")

    @display(description="last advance")
    def moved(self, obj: Checkpoint) -> Cell:
        """Say how long ago it last moved."""
        return wording.cell(_spot(obj), "moved")

    @display(description="holder")
    def held_by(self, obj: Checkpoint) -> Cell:
        """Name the process that holds it, or held it last."""
        return wording.cell(_spot(obj), "holder")

    @display(
        description="state",
        label={
            "up to date": "success", "behind": "warning", "working": "primary", "stalled": "danger", "paused": "info",
        },
    )  # fmt: skip
    def behind(self, obj: Checkpoint) -> str:
        """Say how it is."""
        spot = _spot(obj)
        return spot.state if spot else EMPTY

    @display(description="waits at")
    def next_event(self, obj: Checkpoint) -> Cell:
        """Link to the first event that waits."""
        waiting = Event.objects.filter(
            partition_id=obj.partition_id, lane=obj.lane, offset__gt=obj.position
        ).order_by("offset")
        return link_to(waiting.only("type").first())

    @display(description="advanced")
    def advanced_at(self, obj: Checkpoint) -> Cell:
        """Say when it last moved, exactly."""
        return at(obj.advanced)


def _spot(row: Checkpoint) -> Spot | None:
    """Return how a row stands; a list has measured its rows together."""
    if "spot" not in vars(row):
        vars(row)["spot"] = board.spots([row.pk]).get(row.pk)
    spot: Spot | None = vars(row)["spot"]
    return spot


def _replays() -> str:
    """Return the address of the list of replays, if there is one."""
    try:
        return reverse("admin:events_replay_changelist")
    except NoReverseMatch:
        return ""
