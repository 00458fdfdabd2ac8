"""Replays: what goes through the log once more, how far it is, what it found, and its levers."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.contrib import admin, messages
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.loader import render_to_string
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import action, display

from events.admin.asking import Asking, ask_for
from events.admin.cells import EMPTY, Cell, ago, at, beside, link_to, mono, page_of
from events.admin.confirming import Lever, ask, ask_about_one
from events.admin.filters import GameFilter
from events.admin.lists import ReadOnlyAdmin
from events.admin.replay_forms import RateForm, ReplayForm
from events.admin.replay_words import duration, rebuilt
from events.models import Replay
from events.models.replays import OPEN
from events.replays import control
from events.replays.job import title_of, unit_of
from events.replays.pace import seconds_left
from events.tenancy import games_of_others

NOUN = ("replay", "replays")
PAUSE = Lever(
    verb="Pause", done="Paused", noun=NOUN, pull=control.pause,
    warning="They stand after their current step, and go on from there when somebody resumes them.",
)  # fmt: skip
RESUME = Lever(
    verb="Resume", done="Resumed", noun=NOUN, pull=control.resume,
    warning="They go on from where they stand, within seconds.",
)  # fmt: skip
CANCEL = Lever(
    verb="Cancel", done="Cancelled", noun=NOUN, pull=control.cancel,
    warning="They end for good. What they have done so far stays as it is; a new replay may do the rest.",
)  # fmt: skip
STATES = {
    "waiting": "info", "running": "primary", "paused": "warning", "done": "success", "cancelled": "warning",
    "failed": "danger",
}  # fmt: skip
REFRESH_S = "4"

Report = Callable[[Replay], Cell]


@admin.register(Replay)
class ReplayAdmin(ReadOnlyAdmin):
    """Rebuilds of folds, dry runs, and what is decided late."""

    form = ReplayForm
    list_display = ("what", "in_game", "state_label", "progress", "speed", "time_left", "asked", "begun")
    list_display_links = ("what",)
    list_filter = (("state", ChoicesDropdownFilter), ("game", GameFilter))
    list_select_related = ("game",)
    ordering = ("-id",)
    sortable_by = ()
    told: ClassVar = (
        (None, {"fields": ("what", "state_label", "progress", "speed", "time_left", "trouble")}),
        ("What it has found", {"fields": ("found",)}),
        ("What was asked for", {"fields": ("in_game", "part", "limit", "asked", "reason")}),
        ("Dates", {"fields": ("created_at", "started_at", "advanced_at", "finished_at")}),
    )
    actions = ("pause", "resume", "cancel")
    actions_detail = ("pause_this", "resume_this", "change_rate_this", "cancel_this")
    history = True
    empty_hint = "Nothing has been replayed. A rebuild makes a fold anew from the log while live goes on."
    reports: ClassVar[dict[str, Report]] = {}
    """By kind: rooms to the left say what their replays have found."""

    def get_fieldsets(self, request: HttpRequest, obj: Replay | None = None) -> Any:
        """Ask for a new one; tell of one that exists."""
        asked = ("game", "what", "begins", "ends", "stream", "rate_limit", "reason")
        return self.told if obj else ((None, {"fields": asked}),)

    def get_readonly_fields(self, request: HttpRequest, obj: Replay | None = None) -> list[str]:
        """Never edit one that was begun."""
        return [name for _, part in self.told for name in part["fields"]] if obj else []

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Let those begin one who may."""
        return bool(request.user.has_perm("events.add_replay"))

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        """Choose the game where there is no choice; links from other screens choose more."""
        games = list(games_of_others().values_list("id", flat=True)[:2])
        only = {"game": games[0]} if len(games) == 1 else {}
        return {**only, **super().get_changeform_initial_data(request)}

    def save_model(self, request: HttpRequest, obj: Replay, form: Any, change: bool) -> None:
        """Begin it."""
        kind, target = form.chosen()
        made = control.start(
            kind, obj.game, target=target, by=request.user.get_username(), reason=obj.reason, begins=obj.begins,
            ends=obj.ends, stream=obj.stream, rate_limit=obj.rate_limit,
        )  # fmt: skip
        obj.__dict__.update(made.__dict__)

    def response_add(self, request: HttpRequest, obj: Replay, post_url_continue: str | None = None) -> Any:
        """Go to its page, where its progress is."""
        messages.success(request, "Begun. Workers take it up within seconds.")
        return HttpResponseRedirect(page_of(obj))

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        """Show progress as it goes on."""
        response = super().changeform_view(request, object_id, form_url, extra_context)
        replay = self.get_object(request, object_id) if object_id else None
        if replay and replay.state in OPEN and request.method == "GET":
            response["Refresh"] = REFRESH_S
        return response

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what makes a difference."""
        replay = self.get_object(request, object_id)
        useful = {
            "pause_this": control.PAUSABLE,
            "resume_this": control.RESUMABLE,
            "change_rate_this": control.CANCELLABLE,
            "cancel_this": control.CANCELLABLE,
        }
        offered = super().get_actions_detail(request, object_id)
        return [
            each
            for each in offered
            for name, states in useful.items()
            if replay and each.action_name.endswith(f"_{name}") and replay.state in states
        ]

    @admin.action(description="Pause…", permissions=["operate"])
    def pause(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Let these stand."""
        return ask(self, request, list(queryset), PAUSE)

    @admin.action(description="Resume…", permissions=["operate"])
    def resume(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Let these go on."""
        return ask(self, request, list(queryset), RESUME)

    @admin.action(description="Cancel…", permissions=["operate"])
    def cancel(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """End these."""
        return ask(self, request, list(queryset), CANCEL)

    @action(description="Pause…", url_path="pause", icon="pause", permissions=["operate"])
    def pause_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let this one stand."""
        return ask_about_one(self, request, self.get_object(request, object_id), PAUSE)

    @action(description="Resume…", url_path="resume", icon="play_arrow", permissions=["operate"])
    def resume_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let this one go on."""
        return ask_about_one(self, request, self.get_object(request, object_id), RESUME)

    @action(description="Cancel…", url_path="cancel", icon="stop", permissions=["operate"])
    def cancel_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """End this one."""
        return ask_about_one(self, request, self.get_object(request, object_id), CANCEL)

    @action(description="Change rate…", url_path="rate", icon="speed", permissions=["operate"])
    def change_rate_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let this one go faster or slower."""
        return _ask_rate(self, request, self.get_object(request, object_id))

    @display(description="replay")
    def what(self, obj: Replay) -> str:
        """Name it."""
        return f"{title_of(obj)}: {obj.target}" + (
            " (dry run)" if obj.trial and "ry run" not in title_of(obj) else ""
        )

    @display(description="game")
    def in_game(self, obj: Replay) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

    @display(description="state", label=STATES)
    def state_label(self, obj: Replay) -> str:
        """Say where it stands."""
        return obj.state

    @display(description="progress")
    def progress(self, obj: Replay) -> Cell:
        """Show how far it is."""
        total = obj.total or 1
        done = min(obj.done, total) if obj.total else int(obj.state == "done")
        return render_to_string(
            "admin/console/progress.html",
            {"done": done, "total": total, "percent": 100 * done // total, "noun": unit_of(obj)},
        )

    @display(description="rate")
    def speed(self, obj: Replay) -> str:
        """Say how many events it reads, and may read."""
        now = [f"{intcomma(round(obj.rate))} events/s"] if obj.rate else []
        most = [f"at most {intcomma(obj.rate_limit)} events/s"] if obj.rate_limit else []
        return ", ".join(now + most) or EMPTY

    @display(description="time left")
    def time_left(self, obj: Replay) -> str:
        """Say about how long it takes yet."""
        left = seconds_left(obj)
        return EMPTY if left is None else f"about {duration(left)}"

    @display(description="trouble")
    def trouble(self, obj: Replay) -> Cell:
        """Say what failed last, or why it stands."""
        if not obj.error:
            return EMPTY
        return f"{obj.error} (try {obj.tries})" if obj.tries else obj.error

    @display(description="found")
    def found(self, obj: Replay) -> Cell:
        """Say what it has found so far."""
        return self.reports.get(obj.kind, rebuilt)(obj)

    @display(description="part of the log")
    def part(self, obj: Replay) -> Cell:
        """Say what it goes through."""
        begins, ends = obj.begins or "the beginning", obj.ends or "where its hub stood"
        stream = [mono(f"stream {obj.stream}")] if obj.stream else []
        return beside([f"from {begins} to {ends}", *stream])

    @display(description="rate limit")
    def limit(self, obj: Replay) -> str:
        """Say how fast it may go."""
        return f"{intcomma(obj.rate_limit)} events/s" if obj.rate_limit else "none"

    @display(description="by")
    def asked(self, obj: Replay) -> str:
        """Name who asked for it."""
        return obj.by or "Clarion"

    @display(description="begun")
    def begun(self, obj: Replay) -> Cell:
        """Say when."""
        return ago(obj.created)

    @display(description="asked for")
    def created_at(self, obj: Replay) -> Cell:
        """Say when, exactly."""
        return at(obj.created)

    @display(description="started")
    def started_at(self, obj: Replay) -> Cell:
        """Say when its first step was."""
        return at(obj.started)

    @display(description="last step")
    def advanced_at(self, obj: Replay) -> Cell:
        """Say when its last step was."""
        return at(obj.advanced)

    @display(description="finished")
    def finished_at(self, obj: Replay) -> Cell:
        """Say when it ended."""
        return at(obj.finished)


def _ask_rate(model_admin: Any, request: HttpRequest, replay: Replay | None) -> HttpResponse:
    if replay is None:
        return HttpResponseRedirect("../../")
    form = RateForm(request.POST or None, initial={"rate_limit": replay.rate_limit})
    if request.method == "POST" and form.is_valid():
        limit, reason = form.cleaned_data["rate_limit"], form.cleaned_data["reason"]
        changed = control.change_rate(replay, limit, request.user.get_username(), reason)
        said = (
            f"It reads at most {limit} events a second from now on."
            if limit
            else "It goes as fast as it can."
        )
        messages.success(request, said if changed else "It was over before: nothing was changed.")
        return HttpResponseRedirect(page_of(replay))
    asking = Asking(
        title=f"Change the rate of “{model_admin.what(replay)}”",
        explanation="Live is never held up for more than a few milliseconds at a time; a limit leaves the database"
        " more room besides.",
        button="Change the rate",
        back=page_of(replay),
    )
    return ask_for(model_admin, request, form, asking)
