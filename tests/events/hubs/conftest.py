"""Hubs made for one test."""

from collections.abc import Callable, Iterator

import pytest

from events.hubs import registry
from events.hubs.claim import make_missing
from events.hubs.projection import Hub
from events.lanes import Lane
from events.log.logged import LoggedEvent
from tests.events.hubs.recording import Recording

MakeHub = Callable[..., Recording]


@pytest.fixture
def recording_hub() -> Iterator[MakeHub]:
    """Register a hub that records, under a name; it is the only one while the test runs."""
    others = registry.hubs()
    for hub in others:
        registry.unregister(hub.name)
    made: list[str] = []

    def make(name: str = "recorder", on_apply: Callable[[LoggedEvent], None] | None = None) -> Recording:
        projection = Recording(name, on_apply)
        registry.register(Hub(name=name, projections=(projection,)))
        make_missing(name, tuple(Lane))
        made.append(name)
        return projection

    yield make
    for name in made:
        registry.unregister(name)
    for hub in others:
        registry.register(hub)
