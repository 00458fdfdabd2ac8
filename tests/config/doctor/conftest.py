"""Looking with one check, on the test's own thread and connection."""

import socket
from collections.abc import Callable

import pytest
from django.conf import settings

from config.doctor.check import Check, Target
from config.doctor.finding import Finding
from config.doctor.road import stages
from events.hubs.run import run
from events.lanes import Lane

SECRET = "hunter2-is-the-password"
NOBODY = 1
"""A port on which nobody listens: only root could, and nobody does."""


def looked(check: Check, *, services: bool | None = None, url: str = "") -> list[Finding]:
    """Return what a check finds here; or as if this were services, or embedded."""
    there = settings.CLARION_SERVICES if services is None else services
    return list(check.look(Target(services=there, url=url)))


def lines(check: Check, **options: object) -> list[str]:
    """Return the same in words: ``level: text``."""
    return [f"{each.level.value}: {each.text}" for each in looked(check, **options)]  # type: ignore[arg-type]


@pytest.fixture
def silent() -> "Callable[[], int]":
    """Return a port that takes connections and never says a word, as a frozen server does."""
    listening = []

    def open_one() -> int:
        server = socket.create_server(("127.0.0.1", 0))
        listening.append(server)
        return int(server.getsockname()[1])

    yield open_one
    for server in listening:
        server.close()


@pytest.fixture
def decided_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let hubs run where doctor waits for them: there is no worker beside a test."""
    real = stages.decided

    def decide(event: int) -> bool:
        while run("decisions", Lane.URGENT):
            pass
        return real(event)

    monkeypatch.setattr(stages, "decided", decide)
