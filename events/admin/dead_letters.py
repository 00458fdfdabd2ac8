"""The *Dead letters* screen: what hubs had to park, by fingerprint; retrying and skipping it."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path
from unfold.decorators import action, display

from events.admin import letter_levers as levers
from events.admin.cells import EMPTY, Cell, at, code, link, link_to, list_of, mono, page_of
from events.admin.letter_history import steps_of, timeline
from events.admin.letter_lists import AGES, STATES, Asked, page_of_groups, page_of_letters
from events.admin.letter_words import (
    COLUMNS,
    Line,
    cause_of,
    fingerprint_in,
    group_url,
    list_url,
    progress_of,
    soon,
    told,
)
from events.admin.lists import ReadOnlyAdmin
from events.admin.log import LANE_COLOURS
from events.hubs.letters import waiting
from events.hubs.letters.groups import facts, group_of
from events.hubs.letters.steering import latest_rounds
from events.hubs.registry import hubs
from events.log.rows import event_pk
from events.models import DeadLetter, Event, Game, LetterState, RetryRound

POLL_MS = 3_000
REFRESH_S = "3"
GROUP_LEVERS = {"retry": levers.retry_group, "skip": levers.skip_group}
Look = Callable[[DeadLetter], levers.Deed | None]


@admin.register(DeadLetter)
class DeadLetterAdmin(ReadOnlyAdmin):
    """Groups of letters with the same fingerprint, and each letter: what failed, where, how often, what next."""

    fieldsets = (
        (None, {"fields": ("state_label", "cause_line", "group", "next", "event", "in_stream", "behind")}),
        ("What was tried", {"fields": ("tries", "steps", "where")}),
        ("Where", {"fields": ("hub", "lane_name", "in_game", "version")}),
        ("Dates", {"fields": ("created_at", "first_failed_at", "last_failed_at", "resolved_at")}),
    )
    readonly_fields = (
        "state_label", "cause_line", "group", "next", "event", "in_stream", "behind", "tries", "steps", "where", "hub",
        "lane_name", "in_game", "version", "created_at", "first_failed_at", "last_failed_at", "resolved_at",
    )  # fmt: skip
    actions_detail = ("retry_this", "retry_stream_this", "skip_this", "skip_stream_this")
    empty_hint = "Nothing is parked. An event that a hub fails on three times alone would appear here."

    def has_skip_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Tell whether somebody may skip: it loses events for a hub for good, so it is a right of its own."""
        return request.user.has_perm("events.skip_deadletter") and self.has_operate_permission(request, obj)

    def get_urls(self) -> list[Any]:
        """Add the groups, their levers, and the live numbers."""
        view = self.admin_site.admin_view
        return [
            path("live/", view(self.live), name="events_deadletter_live"),
            path("groups/<str:hub>/<str:part>/", view(self.group_view), name="events_deadletter_group"),
            path(
                "groups/<str:hub>/<str:part>/<str:verb>/",
                view(self.group_lever),
                name="events_deadletter_group_lever",
            ),
            path("rounds/<int:pk>/cancel/", view(self.cancel_round), name="events_deadletter_cancel_round"),
            *super().get_urls(),
        ]

    # -- the lists -------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        """List the groups."""
        self._look(request)
        asked = Asked.of(request)
        page = page_of_groups(asked)
        context = {
            **self.admin_site.each_context(request),
            "title": "Dead letters",
            "opts": None,
            "asked": asked,
            "page": page,
            "first": told(page.lines, page.more),
            "poll_ms": POLL_MS,
            "columns": list(COLUMNS),
            "states": [(name, said) for name, (said, _) in STATES.items()],
            "ages": [(name, said[0]) for name, said in AGES.items()],
            "games": list(Game.objects.order_by("slug")),
            "hubs": sorted(hub.name for hub in hubs()),
            "empty_hint": self.empty_hint,
            "here": _without_page(request),
            **(extra_context or {}),
        }
        return TemplateResponse(request, "admin/console/letter_groups.html", context)

    def live(self, request: HttpRequest) -> JsonResponse:
        """Return the numbers of the same page anew."""
        self._look(request)
        page = page_of_groups(Asked.of(request))
        answer = JsonResponse(told(page.lines, page.more))
        answer["Cache-Control"] = "no-store"
        return answer

    def group_view(self, request: HttpRequest, hub: str, part: str) -> HttpResponse:
        """Show a group: its cause, its numbers, its rounds and its letters."""
        self._look(request)
        key = (hub, fingerprint_in(part))
        group = group_of(key)
        if group is None:
            raise Http404
        line = Line(group=group, facts=facts([group])[key])
        asked, rows = Asked.of(request), latest_rounds(*key)
        said, states = STATES[asked.state or "all"]
        letters, has_next = page_of_letters(group, sorted(states & group.states), asked.page)
        open_round = next((row for row in rows if row.finished is None), None)
        context = {
            **self.admin_site.each_context(request),
            "title": cause_of(group.sample),
            "opts": None,
            "line": line,
            "letters": letters,
            "asked": asked,
            "asked_state": said if asked.state else "",
            "numbers": [
                (state.label, line.facts.counts[state], f"{line.url}?state={name}#letters-of-group")
                for name, state in COLUMNS.items()
            ],
            "has_next": has_next,
            "here": _without_page(request),
            "traceback": code(group.sample.traceback),
            "timeline": timeline(line, rows),
            "round": open_round,
            "progress": progress_of(open_round) if open_round else None,
            "may_retry": group.is_open and not open_round and self.has_operate_permission(request),
            "may_skip": group.is_open and not open_round and self.has_skip_permission(request),
            "may_cancel": open_round and self._may_steer(request, open_round),
            "retry_url": group_url(key, "retry"),
            "skip_url": group_url(key, "skip"),
            "list_url": list_url(),
        }
        response = TemplateResponse(request, "admin/console/letter_group.html", context)
        if open_round:
            response["Refresh"] = REFRESH_S
        return response

    # -- levers ----------------------------------------------------------------------------------

    def group_lever(self, request: HttpRequest, hub: str, part: str, verb: str) -> HttpResponse:
        """Ask about all letters of a group."""
        if verb not in GROUP_LEVERS:
            raise Http404
        allowed = self.has_skip_permission if verb == "skip" else self.has_operate_permission
        if not allowed(request):
            raise PermissionDenied
        key = (hub, fingerprint_in(part))
        return levers.settle(self, request, lambda: GROUP_LEVERS[verb](key), group_url(key))

    def cancel_round(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask to end a round."""
        row = get_object_or_404(RetryRound, pk=pk)
        if not self._may_steer(request, row):
            raise PermissionDenied
        back = group_url((row.hub, row.fingerprint))
        return levers.settle(self, request, lambda: levers.cancel_round(RetryRound.objects.get(pk=pk)), back)

    @action(description="Retry…", url_path="retry", icon="replay", permissions=["operate"])
    def retry_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Retry this letter."""
        return self._settle(request, object_id, levers.retry_one)

    @action(description="Retry its stream…", url_path="retry-stream", icon="replay", permissions=["operate"])
    def retry_stream_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Retry all letters of its stream."""
        return self._settle(request, object_id, levers.retry_stream)

    @action(description="Skip the event…", url_path="skip", icon="skip_next", permissions=["skip"])
    def skip_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Skip the event at which it stands."""
        return self._settle(request, object_id, levers.skip_one)

    @action(
        description="Skip all that waits…", url_path="skip-stream", icon="fast_forward", permissions=["skip"]
    )
    def skip_stream_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Skip all that waits behind it."""
        return self._settle(request, object_id, levers.skip_stream)

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer levers while it waits."""
        waits = DeadLetter.objects.filter(pk=object_id, resolved=None).exists()
        return super().get_actions_detail(request, object_id) if waits else []

    def _settle(self, request: HttpRequest, object_id: str, look: Look) -> HttpResponse:
        letter = get_object_or_404(DeadLetter, pk=object_id)

        def anew() -> levers.Deed | None:
            return look(DeadLetter.objects.select_related("game").get(pk=letter.pk))

        return levers.settle(self, request, anew, page_of(letter))

    def _look(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def _may_steer(self, request: HttpRequest, row: RetryRound) -> bool:
        return self.has_skip_permission(request) if row.skips else self.has_operate_permission(request)

    # -- a letter's page -------------------------------------------------------------------------

    @display(
        description="state",
        label={"waiting": "danger", "being retried": "primary", "resolved": "success", "skipped": "info"},
    )
    def state_label(self, obj: DeadLetter) -> str:
        """Say whether it still waits."""
        return LetterState(obj.state).label

    @display(description="cause")
    def cause_line(self, obj: DeadLetter) -> str:
        """Say what failed, in one line."""
        return cause_of(obj)

    @display(description="fingerprint")
    def group(self, obj: DeadLetter) -> Cell:
        """Link to all that failed alike."""
        return link(group_url((obj.hub, obj.fingerprint)), obj.fingerprint or "none")

    @display(description="next retry")
    def next(self, obj: DeadLetter) -> Cell:
        """Say when it is tried again, and who asked for it."""
        if obj.resolved:
            return EMPTY
        if obj.round_id:
            return link(group_url((obj.hub, obj.fingerprint)), "in the round over its fingerprint")
        if obj.next_retry is None:
            return "none by itself any more: it waits for somebody"
        return f"now, asked for by {obj.asked_by}" if obj.asked_by else soon(obj.next_retry)

    @display(description="lane", label=LANE_COLOURS)
    def lane_name(self, obj: DeadLetter) -> str:
        """Name the lane."""
        return obj.get_lane_display()

    @display(description="game")
    def in_game(self, obj: DeadLetter) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

    @display(description="stream")
    def in_stream(self, obj: DeadLetter) -> Cell:
        """Link to the stream, all of which waits in this lane from that version on."""
        return list_of(Event, obj.stream, game__id__exact=obj.game_id, q=obj.stream)

    @display(description="waiting")
    def behind(self, obj: DeadLetter) -> str:
        """Say how many events wait, the failing one included."""
        count = waiting.counts([obj]).get(obj.pk, 0) if obj.resolved is None else 0
        return f"{count:,} event{'' if count == 1 else 's'}, the failing one included" if count else EMPTY

    @display(description="event")
    def event(self, obj: DeadLetter) -> Cell:
        """Link to the event that failed."""
        failed = Event(id=event_pk(obj.partition_id, obj.event_offset))
        return link_to(failed, f"{obj.event_type}, version {obj.version}")

    @display(description="history")
    def steps(self, obj: DeadLetter) -> Cell:
        """Say what was tried and decided, by whom, and what came of it."""
        return steps_of(obj)

    @display(description="traceback")
    def where(self, obj: DeadLetter) -> Cell:
        """Show where it failed; values are left out."""
        return code(obj.traceback) if obj.traceback else mono("the process ended each time")

    @display(description="parked")
    def created_at(self, obj: DeadLetter) -> Cell:
        """Say since when, exactly."""
        return at(obj.created)

    @display(description="this event failed first")
    def first_failed_at(self, obj: DeadLetter) -> Cell:
        """Say since when it stands at this event."""
        return at(obj.first_failed)

    @display(description="failed last")
    def last_failed_at(self, obj: DeadLetter) -> Cell:
        """Say when it was last tried in vain."""
        return at(obj.last_failed)

    @display(description="resolved")
    def resolved_at(self, obj: DeadLetter) -> Cell:
        """Say since when it goes on."""
        return at(obj.resolved) if obj.resolved else EMPTY


def _without_page(request: HttpRequest) -> str:
    """Return the filters of an address, ready for a page's number behind them."""
    query = request.GET.copy()
    query.pop("p", None)
    return f"?{query.urlencode()}&" if query else "?"
