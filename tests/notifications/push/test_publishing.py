"""Which transport a deployment has."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from notifications.push import publishing
from notifications.push.memory import MemoryTransport
from notifications.push.redis import RedisTransport


@pytest.fixture(autouse=True)
def _chosen_anew() -> Iterator[None]:
    publishing.use(None)
    yield
    publishing.use(None)


def test_services_push_over_redis_under_their_prefix(settings: Settings) -> None:
    settings.REDIS_URL, settings.CLARION_PREFIX = "redis://127.0.0.1:6379/0", "blue-"
    transport = publishing.transport()
    assert isinstance(transport, RedisTransport)
    assert transport.channel.startswith("blue-")
    assert publishing.transport() is transport


def test_the_one_process_mode_pushes_within_the_process(settings: Settings) -> None:
    settings.REDIS_URL = ""
    assert isinstance(publishing.transport(), MemoryTransport)
