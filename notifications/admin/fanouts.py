"""Audiences too large for one batch, and how far they are."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from unfold.decorators import display

from events.admin.cells import Cell, ago, at, link_to
from events.admin.filters import GameFilter
from events.admin.lists import ReadOnlyAdmin
from notifications.models import FanOut


@admin.register(FanOut)
class FanOutAdmin(ReadOnlyAdmin):
    """One event, one rule, many players, page by page."""

    list_display = ("begun", "state", "progress", "by_rule", "about_event", "in_game", "finished_ago")
    list_display_links = ("begun",)
    list_filter = (("finished", admin.EmptyFieldListFilter), ("game", GameFilter))
    ordering = ("-id",)
    fields = readonly_fields = (
        "state", "progress", "by_rule", "about_event", "in_game", "total", "cursor", "stopped_at", "begun_at",
        "finished_at",
    )  # fmt: skip
    empty_hint = (
        "An event that addresses more than 100 players is worked off in pages, and its progress shows here."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[FanOut]:
        """Leave payloads and definitions out."""
        rows: QuerySet[FanOut] = super().get_queryset(request)
        return rows.select_related("revision__rule", "event", "game").defer(
            "revision__definition", "event__data"
        )

    @display(description="begun", ordering="created")
    def begun(self, obj: FanOut) -> Cell:
        """Say when."""
        return ago(obj.created)

    @display(description="begun")
    def begun_at(self, obj: FanOut) -> Cell:
        """Say when, exactly."""
        return at(obj.created)

    @display(description="state", label={"running": "primary", "finished": "success", "stopped": "warning"})
    def state(self, obj: FanOut) -> str:
        """Say whether it goes on."""
        if obj.finished is None:
            return "running"
        return "stopped" if obj.stopped_at is not None else "finished"

    @display(description="progress")
    def progress(self, obj: FanOut) -> Cell:
        """Show how far it is."""
        return render_to_string(
            "admin/console/progress.html",
            {"done": obj.cursor, "total": obj.total, "percent": 100 * obj.cursor // max(obj.total, 1)},
        )

    @display(description="rule")
    def by_rule(self, obj: FanOut) -> Cell:
        """Link to the rule."""
        return link_to(obj.revision.rule)

    @display(description="event")
    def about_event(self, obj: FanOut) -> Cell:
        """Link to the event."""
        return link_to(obj.event, obj.event.type)

    @display(description="game")
    def in_game(self, obj: FanOut) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

    @display(description="finished", ordering="finished")
    def finished_ago(self, obj: FanOut) -> Cell:
        """Say when."""
        return ago(obj.finished)

    @display(description="finished")
    def finished_at(self, obj: FanOut) -> Cell:
        """Say when, exactly."""
        return at(obj.finished)
