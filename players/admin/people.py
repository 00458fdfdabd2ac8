"""One player at a time: who they are, where they stand, and what staff may do."""

from collections.abc import Callable, Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from unfold.admin import TabularInline
from unfold.decorators import action, display

from events.admin.cells import EMPTY, Cell, ago, at, beside, code, json_text, link_to, list_of
from events.admin.confirming import Lever, ask, ask_about_one
from events.admin.filters import GameFilter
from events.admin.lists import ROWS, LargeTable, ReadOnlyAdmin, asked_games, asked_id, asked_text
from events.models import Event, Game
from events.tenancy import RESERVED
from players.admin.levers import BLOCK, ERASE, UNBLOCK
from players.models import Device, Player, Profile, ProfileRevision
from players.presence import is_present


class DeviceInline(TabularInline):
    """A player's tabs and installations."""

    model = Device
    fields = readonly_fields = ("name", "acked", "heard")
    extra = 0
    can_delete = False
    max_num = 0
    tab = True
    verbose_name_plural = "devices"
    ordering = ("name",)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Show devices to whoever sees the player."""
        return True

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Devices come by connecting, and go by themselves."""
        return False

    has_change_permission = has_delete_permission = has_add_permission

    @display(description="last heard of")
    def heard(self, obj: Device) -> Cell:
        """Say when."""
        return ago(obj.seen)


@admin.register(Player)
class PlayerAdmin(LargeTable, ReadOnlyAdmin):
    """One player: profile, counters, devices, and links to what they were told."""

    list_display = ("key", "display_name", "in_game", "locale", "unread", "number", "state", "known_ago")
    list_display_links = ("key",)
    list_filter = (("game", GameFilter),)
    list_select_related = ("game", "profile")
    ordering = ("-id",)
    lookups = frozenset({"game__id__exact"})
    search_fields = ("key",)
    search_help_text = "the player's id in the game, or how it begins"
    fieldsets = (
        (None, {"fields": ("key", "state", "here", "told", "in_game")}),
        ("Profile", {"fields": ("display_name", "locale", "timezone", "attributes", "profile_at")}),
        (
            "Inbox",
            {"fields": ("unread", "number", "seen_through", "read_through", "head", "decisions")},
        ),
        ("Dates", {"fields": ("known_at", "blocked_at", "erased_at")}),
    )
    inlines = (DeviceInline,)
    history = True
    actions = ("block", "unblock", "erase")
    actions_detail = ("block_this", "unblock_this", "erase_this")
    empty_hint = "Players appear with their first event, or when a token is issued for them."
    related: ClassVar[list[Callable[[Player], Cell]]] = []
    """Rooms to the left add links to what a player was told."""

    def get_readonly_fields(self, request: HttpRequest, obj: Player | None = None) -> list[str]:
        """Show everything, edit nothing: profiles are folded from events."""
        return [name for _, part in self.fieldsets for name in part["fields"]]

    def has_erase_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Erasing needs the right to delete."""
        return bool(request.user.has_perm("players.delete_player"))

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Player], search_term: str
    ) -> tuple[QuerySet[Player], bool]:
        """Leave the search to the branches."""
        return queryset, False

    def branches(self, request: HttpRequest, found: QuerySet[Any]) -> list[QuerySet[Any]]:
        """Read the newest, or one game in the order of keys, or those whose key begins so."""
        if term := asked_text(request, "q"):
            return [found.filter(pk__in=beginning(term, asked_games(request))).order_by("game_id", "key")]
        game = asked_id(request, "game__id__exact")
        if game is not None:
            return [found.filter(game_id=game).order_by("key")]
        own = Game.objects.filter(slug__startswith=RESERVED).values_list("id", flat=True)
        return [found.exclude(game_id__in=list(own))]

    def get_actions_detail(self, request: HttpRequest, object_id: Any) -> list[Any]:
        """Offer what makes a difference."""
        player = self.get_object(request, object_id)
        if player is None or player.erased:
            return []
        useless = "block_this" if player.blocked else "unblock_this"
        offered = super().get_actions_detail(request, object_id)
        return [each for each in offered if not each.action_name.endswith(f"_{useless}")]

    @admin.action(description="Block…", permissions=["operate"])
    def block(self, request: HttpRequest, queryset: QuerySet[Player]) -> HttpResponse | None:
        """Refuse these players."""
        return ask(self, request, list(queryset), BLOCK)

    @admin.action(description="Unblock…", permissions=["operate"])
    def unblock(self, request: HttpRequest, queryset: QuerySet[Player]) -> HttpResponse | None:
        """Let these players connect again."""
        return ask(self, request, list(queryset), UNBLOCK)

    @admin.action(description="Erase…", permissions=["erase"])
    def erase(self, request: HttpRequest, queryset: QuerySet[Player]) -> HttpResponse | None:
        """Remove what is known of these players."""
        return ask(self, request, list(queryset), ERASE)

    @action(description="Block…", url_path="block", icon="block", permissions=["operate"])
    def block_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Refuse this player."""
        return self._ask(request, object_id, BLOCK)

    @action(description="Unblock…", url_path="unblock", icon="lock_open", permissions=["operate"])
    def unblock_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Let this player connect again."""
        return self._ask(request, object_id, UNBLOCK)

    @action(description="Erase…", url_path="erase", icon="person_remove", permissions=["erase"])
    def erase_this(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Remove what is known of this player."""
        return self._ask(request, object_id, ERASE)

    def _ask(self, request: HttpRequest, object_id: str, lever: Lever) -> HttpResponse:
        return ask_about_one(self, request, self.get_object(request, object_id), lever)

    @display(description="see also")
    def told(self, obj: Player) -> Cell:
        """Link to decisions, notifications, the player's own events and the profile's history."""
        return beside([
            *(render(obj) for render in self.related),
            list_of(Event, "events in their stream", game__id__exact=obj.game_id, q=obj.key),
            list_of(ProfileRevision, "profile history", player__id__exact=obj.pk),
        ])  # fmt: skip

    @display(description="connected", boolean=True)
    def here(self, obj: Player) -> bool:
        """Tell whether a socket of theirs is open anywhere."""
        return is_present(obj.pk)

    @display(description="game")
    def in_game(self, obj: Player) -> Cell:
        """Link to the game."""
        return link_to(obj.game)

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
    def attributes(self, obj: Player) -> Cell:
        """Show the profile's attributes."""
        profile = _profile_of(obj)
        return code(json_text(profile.attributes)) if profile and profile.attributes else EMPTY

    @display(description="as of")
    def profile_at(self, obj: Player) -> Cell:
        """Say which revision this is, and since when."""
        profile = _profile_of(obj)
        return beside([f"revision {profile.revision}", at(profile.changed)]) if profile else EMPTY

    @display(description="state", label={"active": "success", "blocked": "warning", "erased": "danger"})
    def state(self, obj: Player) -> str:
        """Say whether they may connect."""
        if obj.erased:
            return "erased"
        return "blocked" if obj.blocked else "active"

    @display(description="known since")
    def known_ago(self, obj: Player) -> Cell:
        """Say since when."""
        return ago(obj.created)

    @display(description="known since")
    def known_at(self, obj: Player) -> Cell:
        """Say since when, exactly."""
        return at(obj.created)

    @display(description="blocked")
    def blocked_at(self, obj: Player) -> Cell:
        """Say since when."""
        return at(obj.blocked)

    @display(description="erased")
    def erased_at(self, obj: Player) -> Cell:
        """Say since when."""
        return at(obj.erased)


def beginning(term: str, games: Iterable[int]) -> list[int]:
    """Return the first players of each game whose key begins so, the whole key first.

    On PostgreSQL by the index whose operators know beginnings; SQLite compares bytes, so a
    range of keys is the same, and its LIKE would take capital letters for small ones.
    """
    bounds: dict[str, str] = {"key__startswith": term}
    if connection.vendor == "sqlite":
        bounds = {"key__gte": term, "key__lt": f"{term}\U0010ffff"}
    found: dict[int, None] = {}
    for game in games:
        players = Player.objects.filter(game_id=game)
        found |= dict.fromkeys(players.filter(key=term).values_list("id", flat=True))
        found |= dict.fromkeys(players.filter(**bounds).values_list("id", flat=True)[:ROWS])
    return list(found)[:ROWS]


def _profile_of(player: Player) -> Profile | None:
    return getattr(player, "profile", None)


def _profile(player: Player, name: str) -> str:
    profile = _profile_of(player)
    return (getattr(profile, name) if profile else "") or EMPTY
