"""Streams that are parked because of poison that somebody can take away."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.models import DeadLetter, Game
from tests.events.hubs.conftest import MakeHub
from tests.events.hubs.recording import Recording
from tests.given import an_event, given_events, given_game, hubs_catch_up


class Poison:
    """Raises for some versions of some streams, until it is taken away."""

    def __init__(self, *places: tuple[str, int], error: Callable[[], BaseException] = ValueError) -> None:
        """Poison these."""
        self.places = set(places)
        self.error = error
        self.met: list[tuple[str, int]] = []

    def __call__(self, event: LoggedEvent) -> None:
        """Raise where it lies."""
        if (event.stream, event.version) in self.places:
            self.met.append((event.stream, event.version))
            raise self.error()


def given_parked(
    make: MakeHub, poison: Poison, streams: tuple[str, ...] = ("s",), events: int = 3, **fields: Any
) -> tuple[Game, Recording]:
    """Append events to streams, and let a hub come upon the poison in them."""
    game = given_game(partitions=1, **fields)
    hub = make(on_apply=poison)
    given_events(game, *[an_event(stream=stream) for _ in range(events) for stream in streams])
    hubs_catch_up()
    return game, hub


def due_now(**which: Any) -> None:
    """Let letters be due, as after some time."""
    DeadLetter.objects.filter(resolved=None, **which).update(next_retry=datetime.now(UTC))


def more(game: Game, stream: str, count: int = 1, lane: Lane = Lane.NORMAL) -> None:
    """Append more to a stream, and let the hub pass it."""
    given_events(game, *[an_event(stream=stream) for _ in range(count)], lane=lane)
    hubs_catch_up()
