from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from notifications.delivery import hints, outlets, registry, sweeping
from tests.events.webhooks.receiver import Receiver, receiving


@pytest.fixture(autouse=True)
def _as_if_just_started(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No hint leaves the process, the sweep has not run, no channel of another test is there."""
    monkeypatch.setattr(hints, "hint", lambda: None)
    monkeypatch.setattr(sweeping, "_last", [float("-inf")])
    outlets.forget()
    yield
    registry.unregister("memory")


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    """A server of this machine, which webhooks may reach."""
    settings.CLARION_WEBHOOK_NETWORKS = (ip_network("127.0.0.0/8"),)
    with receiving() as made:
        yield made
