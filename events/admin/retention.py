"""What each game keeps for how long, and how far the sweeps that see to it are."""

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from events import staff
from events.admin.cells import EMPTY, Cell, ago, at, link_to, list_of
from events.admin.filters import GameFilter
from events.admin.lists import ConsoleAdmin, ReadOnlyAdmin
from events.models import Erasure, Retention, Sweep
from events.retention.sweeping import begin_again

LIMITS: tuple[str | tuple[str, str], ...] = (
    ("payload_days", "payloads"), "export", ("notification_days", "notifications"), ("decision_days", "profile_days"),
)  # fmt: skip
CAUTION = (
    "What goes does not come back. Empty keeps for ever; where both a number and an age are given, whichever comes"
    " first takes it. Files that the log was exported to keep what is later erased from it."
    " It is taken in small steps, and never before urgent work."
)


@admin.register(Retention)
class RetentionAdmin(ConsoleAdmin):
    """A game without a row keeps everything."""

    slug_of_game = "game__slug"

    list_display = ("game", "kept_payloads", "kept_notifications", "decision_days", "profile_days", "taken")
    list_select_related = ("game",)
    ordering = ("game__slug",)
    sortable_by = ()
    fieldsets = ((None, {"fields": ("game", *LIMITS, "taken"), "description": CAUTION}),)
    empty_hint = "Every game keeps everything. Add one here to let go of what is old."

    def get_readonly_fields(self, request: HttpRequest, obj: Retention | None = None) -> tuple[str, ...]:
        """Keep a choice with its game."""
        return ("game", "taken") if obj else ("taken",)

    def save_model(self, request: HttpRequest, obj: Retention, form: Any, change: bool) -> None:
        """Take effect with the next sweep, within seconds."""
        super().save_model(request, obj, form, change)
        begin_again(obj.pk)
        limits = {
            name: getattr(obj, name)
            for part in LIMITS
            for name in ((part,) if isinstance(part, str) else part)
        }
        staff.note(obj.pk, "retention.saved", request.user.get_username(), **limits)

    def delete_model(self, request: HttpRequest, obj: Retention) -> None:
        """Keep everything from now on."""
        staff.note(obj.pk, "retention.deleted", request.user.get_username())
        super().delete_model(request, obj)

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Note each by itself."""
        for obj in queryset:
            self.delete_model(request, obj)

    @display(description="payloads")
    def kept_payloads(self, obj: Retention) -> str:
        """Say how long and how many."""
        return _limit(obj.payload_days, obj.payloads)

    @display(description="notifications")
    def kept_notifications(self, obj: Retention) -> str:
        """Say how long and how many in each inbox."""
        return _limit(obj.notification_days, obj.notifications)

    @display(description="so far")
    def taken(self, obj: Retention) -> Cell:
        """Link to the sweeps."""
        return list_of(Sweep, "its sweeps", game__id__exact=obj.pk) if obj.pk else EMPTY


@admin.register(Sweep)
class SweepAdmin(ReadOnlyAdmin):
    """How far each kind of retention has come."""

    list_display = ("name", "game", "part", "taken", "waits", "complete", "due_ago")
    list_filter = (("game", GameFilter),)
    list_select_related = ("game",)
    fields = readonly_fields = (
        "name", "game", "part", "position", "taken", "waits", "restart_at", "complete", "due_at",
    )  # fmt: skip
    sortable_by = ()
    empty_hint = "A sweep appears for each thing that a game does not keep for ever."

    @display(description="left behind")
    def waits(self, obj: Sweep) -> str:
        """Say from where on something was still needed."""
        return EMPTY if obj.left_from is None else f"from offset {obj.left_from:,}: still needed"

    @display(description="complete from")
    def complete(self, obj: Sweep) -> Cell:
        """Say from when on nothing was taken."""
        return at(obj.complete_from)

    @display(description="looks at those again")
    def restart_at(self, obj: Sweep) -> Cell:
        """Say when."""
        return at(obj.restart)

    @display(description="goes on")
    def due_ago(self, obj: Sweep) -> Cell:
        """Say when."""
        return ago(obj.due)

    @display(description="goes on")
    def due_at(self, obj: Sweep) -> Cell:
        """Say when, exactly."""
        return at(obj.due)


@admin.register(Erasure)
class ErasureAdmin(ReadOnlyAdmin):
    """Which payloads were taken out of the log, by whom and why."""

    list_display = ("place", "game", "count", "why_label", "by", "reason", "at_ago")
    list_filter = (("game", GameFilter), ("why", ChoicesDropdownFilter))
    list_select_related = ("game", "partition")
    ordering = ("-id",)
    fields = readonly_fields = ("place", "in_game", "count", "why_label", "by", "reason", "at_exactly")
    sortable_by: ClassVar[tuple[str, ...]] = ()
    empty_hint = (
        "Nothing was erased yet. What staff, erased players and retention take from the log is told here."
    )

    @display(description="place")
    def place(self, obj: Erasure) -> str:
        """Say which part of which partition."""
        end = f"–{obj.stop}" if obj.stop != obj.start else ""
        return f"{obj.partition.number}:{obj.start}{end}"

    @display(description="game")
    def in_game(self, obj: Erasure) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

    @display(description="why", label={"staff": "warning", "player": "danger", "retention": "info"})
    def why_label(self, obj: Erasure) -> str:
        """Name the cause."""
        return obj.why

    @display(description="when")
    def at_ago(self, obj: Erasure) -> Cell:
        """Say when."""
        return ago(obj.at)

    @display(description="when")
    def at_exactly(self, obj: Erasure) -> Cell:
        """Say when, exactly."""
        return at(obj.at)


def _limit(days: int | None, count: int | None) -> str:
    said = [*([f"{days} days"] if days else []), *([f"newest {count:,}"] if count else [])]
    return ", ".join(said) or "for ever"
