"""What players have, and what is announced to all; read-only."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils import timezone
from unfold.decorators import display

from events.admin.cells import EMPTY, Cell, ago, at, beside, code, indented, json_text, link_to, list_of, mono
from events.admin.filters import GameFilter, Until
from events.admin.lists import LargeTable, ReadOnlyAdmin, asked_games, asked_id, asked_text
from notifications.admin.decisions import GameChosen
from notifications.models import Announcement, Decision, Notification
from players.models import Player

COLOURS = {
    "unread": "primary", "live": "primary", "seen": "info", "read": "success", "archived": "success",
    "claimed": "success", "expired": "warning", "recalled": "danger", "withdrawn": "danger", "replaced": "warning",
}  # fmt: skip
LISTED = (
    "uid", "game_id", "number", "notification_class", "category", "title", "created", "expires", "seen", "read",
    "archived", "claimed", "gone", "rule__slug", "player__key", "player__seen_through", "player__read_through",
)  # fmt: skip


class CreatedUntil(Until):
    """From a time backwards."""

    field = "created"


@admin.register(Notification)
class NotificationAdmin(LargeTable, ReadOnlyAdmin):
    """One thing said to one player, in its present state."""

    list_display = ("title", "of_player", "state", "notification_class", "category", "by_rule", "created_ago")
    list_display_links = ("title",)
    list_filter = (GameChosen, CreatedUntil)
    ordering = ("-created", "-id")
    lookups = frozenset({"game__id__exact", "player__id__exact", "event__id__exact", "until"})
    search_fields = ("player__key",)
    search_help_text = "a player's whole id, or the id of a notification"
    fieldsets = (
        (None, {"fields": ("state", "shown", "see_also")}),
        ("To whom, and why", {"fields": ("of_player", "by_rule", "about_event")}),
        (
            "What happened to it",
            {
                "fields": (
                    "created_at",
                    "expires_at",
                    "seen_at",
                    "read_at",
                    "archived_at",
                    "claimed_at",
                    "gone_when",
                )
            },
        ),
        (
            "Fine print",
            {"fields": ("uid", "number", "seq", "notification_class", "category", "pretty_data", "replaced")},
        ),
    )
    empty_hint = "What rules send to players appears here, and what the API posts to them."

    def get_readonly_fields(self, request: HttpRequest, obj: Notification | None = None) -> list[str]:
        """Nothing is edited: players' devices hold it too."""
        return [name for _, part in self.fieldsets for name in part["fields"]]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notification]:
        """Read the player's marks with it, which its state depends on."""
        rows: QuerySet[Notification] = super().get_queryset(request)
        return rows.select_related("rule", "player").only(*LISTED)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Notification], search_term: str
    ) -> tuple[QuerySet[Notification], bool]:
        """Leave the search to the branches."""
        return queryset, False

    def branches(self, request: HttpRequest, found: QuerySet[Any]) -> list[QuerySet[Any]]:
        """Follow the index of what is asked for: an id, a player, an event, or only time."""
        games = asked_games(request)
        if term := asked_text(request, "q"):
            return _found(term, games, found)
        if (event := asked_id(request, "event__id__exact")) is not None:
            return [found.filter(event_id=event).order_by("id")]
        if (player := asked_id(request, "player__id__exact")) is not None:
            return [found.filter(player_id=player).order_by("-number")]
        return [found.filter(game_id=game) for game in games]

    @display(description="player")
    def of_player(self, obj: Notification) -> Cell:
        """Link to the player."""
        return link_to(obj.player)

    @display(description="rule")
    def by_rule(self, obj: Notification) -> Cell:
        """Link to the rule."""
        return link_to(obj.rule)

    @display(description="event")
    def about_event(self, obj: Notification) -> Cell:
        """Link to the event."""
        return link_to(obj.event)

    @display(description="state", label=COLOURS)
    def state(self, obj: Notification) -> str:
        """Say how the player has it now."""
        return state_of(obj)

    @display(description="as players see it")
    def shown(self, obj: Notification) -> Cell:
        """Show the words, as text."""
        return render_to_string("admin/console/card.html", {"title": obj.title, "body": obj.body})

    @display(description="see also")
    def see_also(self, obj: Notification) -> Cell:
        """Link to the decision, and to the rest of the player's inbox."""
        return beside([
            list_of(Decision, "the decision", q=obj.uid),
            list_of(Notification, "all of this player's", player__id__exact=obj.player_id),
        ])  # fmt: skip

    @display(description="data")
    def pretty_data(self, obj: Notification) -> Cell:
        """Show the data that goes with it."""
        return code(indented(obj.data)) if obj.data != "{}" else EMPTY

    @display(description="replaces")
    def replaced(self, obj: Notification) -> Cell:
        """Link to what it took the place of."""
        return list_of(Notification, str(obj.replaces), q=obj.replaces) if obj.replaces else EMPTY

    @display(description="made")
    def created_ago(self, obj: Notification) -> Cell:
        """Say when."""
        return ago(obj.created)

    @display(description="made")
    def created_at(self, obj: Notification) -> Cell:
        """Say when, exactly."""
        return at(obj.created)

    @display(description="expires")
    def expires_at(self, obj: Notification) -> Cell:
        """Say until when it is shown."""
        return at(obj.expires)

    @display(description="seen")
    def seen_at(self, obj: Notification) -> Cell:
        """Say when it was seen, by itself or with all before it."""
        marked = obj.number <= obj.player.seen_through
        return at(obj.seen) if obj.seen or not marked else beside(["with all before", at(obj.player.seen_at)])

    @display(description="read")
    def read_at(self, obj: Notification) -> Cell:
        """Say when it was read, by itself or with all before it."""
        marked = obj.number <= obj.player.read_through
        return at(obj.read) if obj.read or not marked else beside(["with all before", at(obj.player.read_at)])

    @display(description="archived")
    def archived_at(self, obj: Notification) -> Cell:
        """Say when."""
        return at(obj.archived)

    @display(description="claimed")
    def claimed_at(self, obj: Notification) -> Cell:
        """Say when."""
        return at(obj.claimed)

    @display(description="gone")
    def gone_when(self, obj: Notification) -> Cell:
        """Say why it is no longer there, and since when."""
        return beside([obj.gone, at(obj.gone_at)]) if obj.gone else EMPTY


def state_of(row: Notification) -> str:
    """Return the state in which a player has a notification."""
    states = (
        (row.gone, row.gone),
        (row.claimed, "claimed"),
        (row.archived, "archived"),
        (row.expires and row.expires <= timezone.now(), "expired"),
        (row.read or row.number <= row.player.read_through, "read"),
        (row.seen or row.number <= row.player.seen_through, "seen"),
        (row.notification_class == "live", "live"),
    )
    return next((name for reached, name in states if reached), "unread")


def _found(term: str, games: list[int], found: QuerySet[Any]) -> list[QuerySet[Any]]:
    """Return the notification of this id, or those of players of this id."""
    if keys := found_by(term):
        return [found.filter(pk__in=keys)]
    players = Player.objects.filter(game_id__in=games, key=term).values_list("id", flat=True)
    return [found.filter(player_id=player).order_by("-number") for player in players]


def found_by(uid: str) -> list[int]:
    """Return the key of the notification that has this id everywhere."""
    try:
        return list(Notification.objects.filter(uid=UUID(uid)).values_list("pk", flat=True))
    except ValueError:
        return []


@admin.register(Announcement)
class AnnouncementAdmin(ReadOnlyAdmin):
    """What a whole game is told: one row, read by all."""

    list_display = ("title", "game", "state", "category", "seq", "created_ago", "expires_ago")
    list_filter = (("game", GameFilter),)
    list_select_related = ("game",)
    ordering = ("-created",)
    fields = readonly_fields = (
        "state", "shown", "game", "category", "seq", "name", "pretty_data", "created_ago", "expires_ago", "ended",
    )  # fmt: skip
    empty_hint = (
        "Nothing was announced yet. What a whole game is told appears here, in one row for all players."
    )

    @display(description="state", label={"current": "success", "expired": "warning", "ended": "info"})
    def state(self, obj: Announcement) -> str:
        """Say whether players see it."""
        if obj.gone:
            return "ended"
        return "expired" if obj.expires and obj.expires <= timezone.now() else "current"

    @display(description="as players see it")
    def shown(self, obj: Announcement) -> Cell:
        """Show the words, as text."""
        return render_to_string("admin/console/card.html", {"title": obj.title, "body": obj.body})

    @display(description="id")
    def name(self, obj: Announcement) -> Cell:
        """Show the id that devices know it by."""
        return mono(str(obj.uid))

    @display(description="data")
    def pretty_data(self, obj: Announcement) -> Cell:
        """Show the data that goes with it."""
        return code(json_text(obj.data)) if obj.data else EMPTY

    @display(description="made", ordering="created")
    def created_ago(self, obj: Announcement) -> Cell:
        """Say when."""
        return ago(obj.created)

    @display(description="expires", ordering="expires")
    def expires_ago(self, obj: Announcement) -> Cell:
        """Say until when."""
        return ago(obj.expires)

    @display(description="ended")
    def ended(self, obj: Announcement) -> Cell:
        """Say since when it is gone."""
        return at(obj.gone_at)
