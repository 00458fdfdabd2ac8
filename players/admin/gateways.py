"""Processes that hold players' sockets, and who is on them."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from unfold.admin import TabularInline
from unfold.decorators import display

from events.admin.cells import Cell, ago, at, link_to
from events.admin.lists import ROWS, ReadOnlyAdmin
from players.models import Gateway, Presence


class PresenceInline(TabularInline):
    """Players with sockets on a gateway."""

    model = Presence
    fields = readonly_fields = ("who", "here_since")
    extra = 0
    can_delete = False
    max_num = 0
    per_page = ROWS
    verbose_name_plural = "players here"

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Show who is here to whoever may see players."""
        return bool(request.user.has_perm("players.view_player"))

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Players come by connecting, and go by leaving."""
        return False

    has_change_permission = has_delete_permission = has_add_permission

    def get_queryset(self, request: HttpRequest) -> QuerySet[Presence]:
        """Read the players with it."""
        rows: QuerySet[Presence] = super().get_queryset(request)
        return rows.select_related("player").order_by("id")

    @display(description="player")
    def who(self, obj: Presence) -> Cell:
        """Link to the player."""
        return link_to(obj.player)

    @display(description="since")
    def here_since(self, obj: Presence) -> Cell:
        """Say since when."""
        return ago(obj.since)


@admin.register(Gateway)
class GatewayAdmin(ReadOnlyAdmin):
    """Processes that hold sockets, by their leases."""

    list_display = ("host", "sockets", "alive", "started_ago", "lease")
    ordering = ("-started",)
    fields = readonly_fields = ("id", "host", "sockets", "alive", "started_at", "lease")
    inlines = (PresenceInline,)
    empty_hint = "A gateway appears with its first player's socket."

    @display(description="started", ordering="started")
    def started_ago(self, obj: Gateway) -> Cell:
        """Say since when it runs."""
        return ago(obj.started)

    @display(description="started")
    def started_at(self, obj: Gateway) -> Cell:
        """Say since when it runs, exactly."""
        return at(obj.started)

    @display(description="lease until", ordering="lease_until")
    def lease(self, obj: Gateway) -> Cell:
        """Say until when it is believed to live."""
        return ago(obj.lease_until)

    @display(description="state", label={"alive": "success", "lapsed": "danger"})
    def alive(self, obj: Gateway) -> str:
        """Say whether its lease holds."""
        return "alive" if obj.lease_until > timezone.now() else "lapsed"
