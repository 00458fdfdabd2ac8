"""A game with players, and what they are told: by events that a hub decides about, as in production."""

import itertools
from datetime import datetime
from typing import Any

from events.lanes import Lane
from events.models import Game
from notifications import rulebook
from notifications.api.direct import SOURCE
from notifications.engine import POSTED
from notifications.models import Notification
from players import tokens
from players.known import ensure
from players.models import Player
from tests.given import an_event, given_events, given_game, hubs_catch_up

_numbers = itertools.count(1)


class Scene:
    """A game whose servers post notifications."""

    def __init__(self, **fields: Any) -> None:
        self.game: Game = given_game(**fields)
        rulebook.ensure_direct(self.game.id)

    def token(self, player: str = "alice", ttl_s: int = tokens.TTL_S) -> str:
        """Return a fresh token of a player."""
        return tokens.issue(self.game, player, ttl_s)[0]

    def player(self, key: str = "alice", **fields: Any) -> Player:
        """Return a player as they are now, with these fields set."""
        player_id = ensure(self.game.id, [key])[key]
        Player.objects.filter(pk=player_id).update(**fields) if fields else None
        return Player.objects.get(pk=player_id)

    def tells(
        self, *players: str, count: int = 1, title: str = "", expires: datetime | None = None, **fields: Any
    ) -> list[str]:
        """Post notifications to players (to Alice unless said otherwise), and let the hub decide; return titles."""
        said = [title or f"n{next(_numbers)}" for _ in range(count)]
        self.posts(*players, titles=said, expires=expires, **fields)
        hubs_catch_up(["decisions"])
        return said

    def posts(
        self,
        *players: str,
        titles: list[str],
        expires: datetime | None = None,
        traceparent: str = "",
        **fields: Any,
    ) -> None:
        """Append direct posts to the log; no hub has seen them yet."""
        events = [
            an_event(
                type=POSTED["event_type"],
                source=SOURCE,
                stream=f"{SOURCE}#{players[:1]}",
                data={
                    "players": list(players or ("alice",)),
                    "class": "inbox",
                    "category": "general",
                    "title": title,
                    **fields,
                },
                expires=expires,
            )
            for title in titles
        ]
        given_events(self.game, *events, lane=Lane.NORMAL)

    def ids(self, player: str = "alice") -> list[str]:
        """Return the ids of a player's notifications, in the order of their numbers."""
        rows = Notification.objects.filter(player__key=player, game=self.game).order_by("number")
        return [str(uid) for uid in rows.values_list("uid", flat=True)]
