"""From an event over HTTP to a signed webhook, by processes as an operator starts them, and by killed ones."""

import json
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.config.deployment import Services
from tests.config.processes import Up, finished
from tests.events.webhooks.receiver import Receiver, receiving
from tests.notifications.delivery.scene import FOREVER
from tests.notifications.delivery.stage import LEVEL

ASKED_S = 12
"""Longer than the first delay of the schedule."""
LATEST = "SELECT state, tries, step, error FROM notifications_delivery ORDER BY id DESC LIMIT 1"
COUNT = "SELECT count(*) FROM notifications_delivery"


class World:
    """A deployment, and a game's server that is told by webhook."""

    url: str

    def __init__(self, receiver: Receiver, **environment: str) -> None:
        """Set the stage."""
        self.receiver = receiver
        staged = finished("-m", "tests.notifications.delivery.stage", receiver.url, **environment)
        assert staged.returncode == 0, staged.stderr
        told = json.loads(staged.stdout)
        self.key, self.secret = told["key"], told["secret"]

    def post(self, level: int) -> None:
        """Let Alice reach a level, as the game's server says over HTTP."""
        event = {
            "specversion": "1.0", "id": f"level-{level}", "source": "/tests", "type": LEVEL,
            "data": {"player_id": "alice", "level": level},
        }  # fmt: skip
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/cloudevents+json"}
        answer = httpx.post(
            f"{self.url}/api/v1/events", content=json.dumps(event), headers=headers, timeout=FOREVER
        )
        assert answer.status_code == 201, answer.text

    def becomes(self, *row: Any) -> None:
        """Wait until the latest delivery's state, tries, failures of its schedule and error are these."""
        end = time.monotonic() + FOREVER
        while (found := self.ask(LATEST)) != [row]:
            assert time.monotonic() < end, f"it has not become {row} within {FOREVER} s, it is {found}"
            time.sleep(0.1)

    def let_the_lease_end(self) -> None:
        """Let a minute pass for what somebody has claimed."""
        self.ask("UPDATE notifications_delivery SET due_at = created WHERE state = 'sending'")

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the database."""
        raise NotImplementedError

    def kill(self) -> None:
        """SIGKILL whatever sends, at once."""
        raise NotImplementedError

    def start_again(self) -> None:
        """Start what was killed."""
        raise NotImplementedError


class OnServices(World):
    def __init__(self, receiver: Receiver, servers: Services) -> None:
        self.servers, self.url = servers, servers.url
        super().__init__(receiver, **servers.environment)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.servers.environment["DATABASE_URL"], autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def kill(self) -> None:
        process = self.servers.processes["worker-deliveries"]
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def start_again(self) -> None:
        self.servers.start("worker-deliveries")


class Embedded(World):
    def __init__(self, receiver: Receiver, data: Path) -> None:
        self.data = data
        self.start_again()
        super().__init__(receiver, CLARION_DATA=str(data))

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.data / "clarion.sqlite3", timeout=FOREVER)) as database, database:
            return database.execute(sql).fetchall()

    def kill(self) -> None:
        self.up.process.kill()
        self.up.process.wait()

    def start_again(self) -> None:
        self.up = Up(self.data, "--no-demo")
        self.url = self.up.url


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("services", marks=pytest.mark.services),
        pytest.param("embedded", marks=pytest.mark.embedded),
    ],
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start Clarion, and an endpoint for its webhooks."""
    with receiving() as receiver:
        if request.param == "services":
            with Services("deliveries", CLARION_WEBHOOK_NETWORKS="127.0.0.0/8") as servers:
                yield OnServices(receiver, servers)
        else:
            embedded = Embedded(receiver, tmp_path_factory.mktemp("deliveries"))
            try:
                yield embedded
            finally:
                embedded.kill()


@pytest.fixture(autouse=True)
def receiver(world: World) -> Receiver:
    """An endpoint that answers, and has not been called yet."""
    world.receiver.calls.clear()
    world.receiver.status, world.receiver.headers = 200, {}
    return world.receiver


def test_an_event_s_webhook_arrives_signed(world: World, receiver: Receiver) -> None:
    world.post(1)
    receiver.wait()
    world.becomes("sent", 1, 0, "")
    (call,) = receiver.calls
    assert call.fits(world.secret)
    told = json.loads(call.body)["data"]
    assert (told["player"], told["notification"]["title"]) == ("alice", "Level 1!")
    assert call.headers["webhook-id"] == f"{told['notification']['id']}:webhook"


def test_an_endpoint_that_asks_for_time_gets_it_and_then_the_same_again(
    world: World, receiver: Receiver
) -> None:
    receiver.status, receiver.headers = 503, {"Retry-After": str(ASKED_S)}
    world.post(2)
    receiver.wait()
    world.becomes("waiting", 1, 1, "http 503")
    receiver.status = 200
    receiver.wait()
    world.becomes("sent", 2, 1, "http 503")
    first, second = receiver.calls
    assert second.at - first.at >= ASKED_S
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    assert second.body == first.body


def test_what_is_killed_between_sending_and_committing_is_repeated_with_its_id_and_has_one_row(
    world: World, receiver: Receiver
) -> None:
    receiver.status = "hang"
    world.post(3)
    receiver.wait()  # it was sent, and nothing about it is committed
    world.kill()
    assert world.ask(LATEST) == [("sending", 1, 0, "")]
    rows = world.ask(COUNT)
    receiver.status = 200
    world.let_the_lease_end()
    world.start_again()
    receiver.wait()
    world.becomes("sent", 2, 1, "interrupted")
    assert len(set(receiver.ids)) == 1
    assert len(receiver.calls) == 2
    assert {call.fits(world.secret) for call in receiver.calls} == {True}
    assert world.ask(COUNT) == rows
