"""What the tests of players share: the games' calls, and players' own events."""

import itertools
from typing import Any

from django.http import HttpResponse
from django.test import Client

from events import keys
from events.lanes import Lane
from events.models import Game
from players.known import ensure
from players.models import Player
from tests.given import an_event, given_events, hubs_catch_up

_numbers = itertools.count(1)


class GameServer:
    """A game's server with an API key; answers are never exceptions."""

    def __init__(self, game: Game, scopes: Any = keys.SCOPES) -> None:
        self.game = game
        self.bearer = f"Bearer {keys.issue(game, f'server-{next(_numbers)}', scopes)}"
        self.client = Client(raise_request_exception=False)

    def call(self, method: str, path: str, body: Any = "", **headers: str) -> HttpResponse:
        """Send a call to /api/v1; ``body`` is JSON text or bytes."""
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            body,
            content_type="application/json",
            headers={
                "Authorization": self.bearer,
                **{name.replace("_", "-"): headers[name] for name in headers},
            },
        )


def given_player(game: Game, key: str = "alice", **fields: Any) -> Player:
    """Make a player's row with these counters."""
    player_id = ensure(game.id, [key])[key]
    Player.objects.filter(pk=player_id).update(**fields)
    return Player.objects.get(pk=player_id)


def given_updates(game: Game, key: str, *data: dict[str, Any], type: str = "player.updated") -> None:
    """Let a game server say this about a player, and let the fold follow."""
    events = [an_event(type=type, stream=key, data={"player_id": key, **each}) for each in data]
    given_events(game, *events, lane=Lane.URGENT)
    hubs_catch_up(["profiles"])
