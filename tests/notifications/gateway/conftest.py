"""A gateway for each test, with nobody else on its transport."""

import uuid
from collections.abc import Iterator

import pytest
from django.conf import settings

from notifications import rulebook
from notifications.gateway import look
from notifications.push import publishing
from notifications.push.memory import MemoryTransport
from notifications.push.redis import RedisTransport
from notifications.push.transport import Transport
from tests.notifications.gateway.devices import GatewayThread
from tests.notifications.gateway.scene import Scene


@pytest.fixture
def transport(transactional_db: None) -> Iterator[Transport]:  # noqa: ARG001 - asked for, not used
    """The deployment's kind of transport. The database outlives whoever uses it."""
    own = f"{settings.CLARION_PREFIX}{uuid.uuid4()}-"
    made: Transport = RedisTransport(settings.REDIS_URL, own) if settings.REDIS_URL else MemoryTransport()
    publishing.use(made)
    yield made
    publishing.use(None)


@pytest.fixture
def gateway(transport: Transport) -> Iterator[GatewayThread]:  # noqa: ARG001 - as above
    """A process that holds sockets."""
    with GatewayThread() as running:
        yield running


@pytest.fixture
def other_gateway(transport: Transport) -> Iterator[GatewayThread]:  # noqa: ARG001 - as above
    """Another such process."""
    with GatewayThread() as running:
        yield running


@pytest.fixture
def no_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the look once a second: what arrives has come by a hint or a repair.

    By ``usefixtures``, which comes before the gateway that it is about.
    """
    monkeypatch.setattr(look, "LOOK_S", 3_600.0)


@pytest.fixture
def scene(transactional_db: None) -> Iterator[Scene]:  # noqa: ARG001 - as above
    """A game with players."""
    rulebook.forget()
    yield Scene()
    rulebook.forget()
