"""The choices of the list of deliveries, and the branches that follow them: each is a range of one index."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest

from events.admin.lists import asked_games, asked_id, asked_text
from notifications.admin.decisions import Chosen
from notifications.delivery import groups, registry
from notifications.models import Notification, Outlet
from notifications.models.deliveries import State
from players.models import Player

OUTLETS_LOOKED_AT = 20
"""Of so many outlets faults are named; choose a game where there are more."""
OF_A_PLAYER = 500
"""A search for a player finds the deliveries of so many of their newest notifications."""


class ChannelChosen(Chosen):
    """By channel."""

    title = "channel"
    parameter_name = "channel"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer all channels."""
        return [(name, name) for name in registry.names()]


class StateChosen(Chosen):
    """By state."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer all states."""
        return [(state.value, state.value) for state in State]


class FaultChosen(Chosen):
    """Dead ones, by what they ended with."""

    title = "fault of dead ones"
    parameter_name = "error"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Offer what there is."""
        outlets = asked_outlets(request)[:OUTLETS_LOOKED_AT]
        found = {error for outlet in outlets for error in groups.errors(outlet.game_id, outlet.channel)}
        return [(error, error) for error in sorted(found)]


def asked_outlets(request: HttpRequest) -> Sequence[Outlet]:
    """Return the outlets of the game and channel that are asked for: every delivery has gone through one."""
    rows = Outlet.objects.filter(game_id__in=asked_games(request)).select_related("game")
    if channel := asked_text(request, "channel"):
        rows = rows.filter(channel=channel)
    return list(rows.order_by("game__slug", "channel"))


def branches(request: HttpRequest, found: QuerySet[Any]) -> list[QuerySet[Any]]:
    """Follow an id or a player, a fault, channels and states, or else the key of the table."""
    if term := asked_text(request, "q"):
        return _meant(term, asked_games(request), found)
    if error := asked_text(request, "error"):
        dead = found.filter(state=State.DEAD, error=error)
        return [dead.filter(game_id=row.game_id, channel=row.channel) for row in asked_outlets(request)]
    state = asked_text(request, "state")
    if not state and not asked_text(request, "channel") and asked_id(request, "game__id__exact") is None:
        return [found]
    states = [state] if state in State.values else State.values
    return [
        found.filter(game_id=row.game_id, channel=row.channel, state=state)
        for row in asked_outlets(request)
        for state in states
    ]


def _meant(term: str, games: list[int], found: QuerySet[Any]) -> list[QuerySet[Any]]:
    """Return the deliveries of a notification, with or without a channel's name, or of players of this id."""
    if uid := notification_of(term):
        return [found.filter(notification_id=uid)]
    players = Player.objects.filter(game_id__in=games, key=term).values_list("id", flat=True)
    newest = [
        uid
        for player in players
        for uid in Notification.objects.filter(player_id=player)
        .order_by("-number")
        .values_list("uid", flat=True)[:OF_A_PLAYER]
    ]
    return [found.filter(notification_id__in=newest)]


def notification_of(term: str) -> UUID | None:
    """Return the notification that an id means: its own, or a delivery's."""
    try:
        return UUID(term.partition(":")[0])
    except ValueError:
        return None
