from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from tests.events.webhooks.receiver import Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A server that answers."""
    with receiving() as made:
        yield made


@pytest.fixture
def inside(settings: Any) -> None:
    """This machine may be called."""
    settings.CLARION_WEBHOOK_NETWORKS = (ip_network("127.0.0.0/8"),)


@pytest.fixture
def outside(settings: Any) -> None:
    """Only the public Internet may be called."""
    settings.CLARION_WEBHOOK_NETWORKS = ()
