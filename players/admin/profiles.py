"""What each player's profile has been."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from events.admin.cells import Cell, ago, at, code, json_text, link_to
from events.admin.lists import LargeTable, ReadOnlyAdmin
from events.models import Event
from players.models import ProfileRevision


@admin.register(ProfileRevision)
class ProfileRevisionAdmin(LargeTable, ReadOnlyAdmin):
    """Each state of a profile, with the event that made it."""

    list_display = ("name", "of_player", "display_name", "locale", "timezone", "made_by", "recorded_ago")
    list_select_related = ("player",)
    ordering = ("-id",)
    lookups = frozenset({"player__id__exact"})
    fields = readonly_fields = (
        "of_player", "revision", "made_by", "display_name", "locale", "timezone", "pretty_attributes", "recorded_at",
    )  # fmt: skip
    empty_hint = "player.* events make these, one for each change of a profile."

    def branches(self, request: HttpRequest, found: QuerySet[Any]) -> list[QuerySet[Any]]:
        """Read the newest of all, or one player's from the last to the first."""
        return [found.order_by("-revision") if "player__id__exact" in request.GET else found]

    @display(description="revision")
    def name(self, obj: ProfileRevision) -> str:
        """Name it by its number."""
        return f"revision {obj.revision}"

    @display(description="player")
    def of_player(self, obj: ProfileRevision) -> Cell:
        """Link to the player."""
        return link_to(obj.player)

    @display(description="made by")
    def made_by(self, obj: ProfileRevision) -> Cell:
        """Link to the event."""
        return link_to(Event(id=obj.event), "the event")

    @display(description="attributes")
    def pretty_attributes(self, obj: ProfileRevision) -> Cell:
        """Show the attributes."""
        return code(json_text(obj.attributes))

    @display(description="recorded")
    def recorded_ago(self, obj: ProfileRevision) -> Cell:
        """Say when."""
        return ago(obj.recorded)

    @display(description="recorded")
    def recorded_at(self, obj: ProfileRevision) -> Cell:
        """Say when, exactly."""
        return at(obj.recorded)
