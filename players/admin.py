"""The players room in the operations console."""

from collections.abc import Callable
from typing import Any, ClassVar

import orjson
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html_join
from unfold.admin import TabularInline
from unfold.decorators import display

from events.admin.lists import EMPTY, ConsoleAdmin, ReadOnlyAdmin, ago, code, link_to, list_of
from events.models import Event
from players import tokens
from players.models import Device, Gateway, Player, Presence, Profile, ProfileRevision, TokenKey


class DeviceInline(TabularInline):
    """A player's tabs and installations."""

    model = Device
    fields = readonly_fields = ("name", "acked", "seen")
    extra = 0
    can_delete = False
    max_num = 0
    tab = True


@admin.register(Player)
class PlayerAdmin(ReadOnlyAdmin):
    """One player: profile, counters, devices, and links to what they were told."""

    list_display = ("key", "display_name", "game", "locale", "unread", "number", "head", "state", "made")
    list_filter = ("game",)
    list_select_related = ("game", "profile")
    ordering = ("-id",)
    search_fields = ("key__exact", "key__startswith")
    search_help_text = "the player's id in the game, or how it begins"
    fields = (
        "key", "told", "game", "state", "display_name", "locale", "timezone", "attributes", "head", "number", "unread",
        "seen_through", "read_through", "decisions", "made", "blocked", "erased",
    )  # fmt: skip
    readonly_fields = fields
    inlines = (DeviceInline,)
    actions = ("block", "unblock")
    empty_hint = "Players appear with their first event, or when a token is issued for them."
    related: ClassVar[list[Callable[[Player], str]]] = []
    """Rooms to the left add links to what a player was told."""

    def get_search_results(self, request, queryset, search_term):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201 - Django's signature
        """Search by what the index of keys can serve."""
        term = search_term.strip()
        return (queryset.filter(key__startswith=term) if term else queryset), False

    @admin.action(description="Block: close their sockets and refuse new ones")
    def block(self, request: HttpRequest, queryset: QuerySet[Player]) -> None:
        """Refuse these players; open sockets are closed within a second."""
        count = queryset.filter(blocked=None).update(blocked=timezone.now())
        messages.success(request, f"Blocked {count} players. Their sockets close within a second.")

    @admin.action(description="Unblock")
    def unblock(self, request: HttpRequest, queryset: QuerySet[Player]) -> None:
        """Let these players connect again."""
        count = queryset.exclude(blocked=None).update(blocked=None)
        messages.success(request, f"Unblocked {count} players.")

    @display(description="what they were told")
    def told(self, obj: Player) -> str:
        """Link to decisions, notifications and the player's own events."""
        links = [render(obj) for render in self.related]
        links.append(list_of(Event, "their player.* events", game__id__exact=obj.game_id, q=obj.key))
        links.append(list_of(ProfileRevision, "profile history", player__id__exact=obj.pk))
        return format_html_join(" · ", "{}", ((each,) for each in links))

    @display(description="name")
    def display_name(self, obj: Player) -> str:
        """Return the profile's name."""
        return _profile(obj, "display_name")

    @display(description="locale")
    def locale(self, obj: Player) -> str:
        """Return the profile's locale."""
        return _profile(obj, "locale")

    @display(description="time zone")
    def timezone(self, obj: Player) -> str:
        """Return the profile's time zone."""
        return _profile(obj, "timezone")

    @display(description="attributes")
    def attributes(self, obj: Player) -> str:
        """Show the profile's attributes."""
        profile = _profile_of(obj)
        return code(_json(profile.attributes)) if profile and profile.attributes else EMPTY

    @display(description="state", label={"active": "success", "blocked": "warning", "erased": "danger"})
    def state(self, obj: Player) -> str:
        """Say whether they may connect."""
        if obj.erased:
            return "erased"
        return "blocked" if obj.blocked else "active"

    @display(description="known since", ordering="id")
    def made(self, obj: Player) -> str:
        """Say since when."""
        return ago(obj.created)


@admin.register(ProfileRevision)
class ProfileRevisionAdmin(ReadOnlyAdmin):
    """Each state of a profile, with the event that made it."""

    list_display = ("player", "revision", "display_name", "locale", "timezone", "made_by", "recorded_ago")
    list_select_related = ("player",)
    list_filter = ("player__game",)
    ordering = ("-id",)
    fields = (
        "player",
        "revision",
        "made_by",
        "display_name",
        "locale",
        "timezone",
        "pretty_attributes",
        "recorded",
    )
    readonly_fields = fields
    empty_hint = "player.* events make these, one for each change of a profile."

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """Allow the link from a player's page."""
        return lookup == "player__id__exact" or super().lookup_allowed(lookup, value, request)

    @display(description="event")
    def made_by(self, obj: ProfileRevision) -> str:
        """Link to the event."""
        return link_to(Event(id=obj.event), "the event")

    @display(description="attributes")
    def pretty_attributes(self, obj: ProfileRevision) -> str:
        """Show the attributes."""
        return code(_json(obj.attributes))

    @display(description="recorded")
    def recorded_ago(self, obj: ProfileRevision) -> str:
        """Say when."""
        return ago(obj.recorded)


@admin.register(TokenKey)
class TokenKeyAdmin(ConsoleAdmin):
    """Keys that sign players' tokens. A new one signs from now on; the old ones verify until retired."""

    list_display = ("kid", "game", "state", "made")
    list_filter = ("game",)
    list_select_related = ("game",)
    fields = ("game",)
    actions = ("retire",)
    empty_hint = "A key is made with the first token. Add one here to rotate."

    def has_change_permission(self, request: HttpRequest, obj: TokenKey | None = None) -> bool:
        """Keys are added and retired, never edited; the list needs the permission for its action."""
        return obj is None and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: TokenKey | None = None) -> bool:
        """Retire instead."""
        return False

    def save_model(self, request: HttpRequest, obj: TokenKey, form: Any, change: bool) -> None:
        """Rotate: the new key signs from now on."""
        obj.pk = tokens.rotate(obj.game).pk

    @admin.action(description="Retire: refuse every token that these have signed")
    def retire(self, request: HttpRequest, queryset: QuerySet[TokenKey]) -> None:
        """Refuse their tokens from now on."""
        count = tokens.retire(queryset)
        messages.success(request, f"Retired {count} keys; players who hold their tokens must get new ones.")

    @display(description="state", label={"in use": "success", "retired": "danger"})
    def state(self, obj: TokenKey) -> str:
        """Say whether its tokens are accepted."""
        return "retired" if obj.retired else "in use"

    @display(description="made", ordering="created")
    def made(self, obj: TokenKey) -> str:
        """Say when."""
        return ago(obj.created)


class PresenceInline(TabularInline):
    """Players with sockets on a gateway."""

    model = Presence
    fields = readonly_fields = ("player", "since")
    extra = 0
    can_delete = False
    max_num = 0
    per_page = 25


@admin.register(Gateway)
class GatewayAdmin(ReadOnlyAdmin):
    """Processes that hold sockets, by their leases."""

    list_display = ("host", "sockets", "started_ago", "alive")
    ordering = ("-started",)
    fields = ("id", "host", "sockets", "started", "lease_until")
    inlines = (PresenceInline,)
    empty_hint = "A gateway appears with its first player's socket."

    @display(description="started")
    def started_ago(self, obj: Gateway) -> str:
        """Say since when it runs."""
        return ago(obj.started)

    @display(description="lease", label={"alive": "success", "lapsed": "danger"})
    def alive(self, obj: Gateway) -> str:
        """Say whether its lease holds."""
        return "alive" if obj.lease_until > timezone.now() else "lapsed"


def _profile_of(player: Player) -> Profile | None:
    return getattr(player, "profile", None)


def _profile(player: Player, name: str) -> str:
    profile = _profile_of(player)
    return (getattr(profile, name) if profile else "") or EMPTY


def _json(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()
