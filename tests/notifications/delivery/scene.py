"""What tests of deliveries are about: a game with an endpoint, a rule that uses it, and what came of it."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from events.models import Game
from notifications.delivery import endpoints, outlets, registry, turns
from notifications.delivery.channel import Letter, Undelivered
from notifications.delivery.channels.memory import MemoryChannel
from notifications.models import Delivery, Outlet, WebhookEndpoint
from tests.given import given_game
from tests.notifications.given import decide, given_levels, given_rule

FOREVER = 30.0  # seconds of patience, on a machine that has much else to do


def now() -> datetime:
    return datetime.now(UTC)


def given_memory(*games: Game, **how: Any) -> MemoryChannel:
    """Register the test's channel and set it up for these games."""
    channel = MemoryChannel(**how)
    registry.register(channel)
    for game in games:
        outlets.put(game.id, channel.name, enabled=True)
    return channel


def given_endpoint(game: Game, url: str, **fields: Any) -> tuple[WebhookEndpoint, str]:
    """Set a game's webhook up, as staff do; return it and its secret."""
    endpoint = WebhookEndpoint(game=game, url=url, **fields)
    secret = endpoints.save(endpoint, "olive")
    assert secret
    return endpoint, secret


def given_delivery(
    game: Game | None = None, *, key: str = "alice", channel: str = "memory", **fields: Any
) -> Delivery:
    """Let a player reach a level that a rule brings by a channel; return the delivery, which waits."""
    game = game or given_game()
    given_rule(game, channels=[channel], event_type="level.reached", **fields)
    given_levels(game, 5, key=key)
    decide()
    return Delivery.objects.filter(game=game).latest("id")


def fresh(row: Delivery) -> Delivery:
    return Delivery.objects.get(pk=row.pk)


def outlet(game: Game, channel: str = "memory") -> Outlet:
    return Outlet.objects.get(game=game, channel=channel)


def deliver() -> None:
    """Send what is due, and wait until all of it is settled; that it takes so long is only patience."""
    turns.work_for(FOREVER)


def make_due(row: Delivery) -> None:
    """Let the time of its next try, or the end of its lease, come."""
    Delivery.objects.filter(pk=row.pk).update(due_at=now() - timedelta(seconds=1))


def failing(error: str = "http 503", **how: Any) -> Callable[[Letter], None]:
    """Return what a channel does when its other side fails."""

    def fault(_letter: Letter) -> None:
        raise Undelivered(error, f"the endpoint said {error}", **how)

    return fault


class Holding:
    """What a channel does when its other side does not answer until it is let go."""

    def __init__(self) -> None:
        self.reached = threading.Semaphore(0)
        self.go = threading.Event()

    def __call__(self, _letter: Letter) -> None:
        self.reached.release()
        assert self.go.wait(FOREVER)
