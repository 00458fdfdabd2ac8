"""A deployment and a game's server that is told by webhook: staged, asked, killed and started again."""

import json
import os
import signal
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import psycopg

from tests.config.deployment import Fleet
from tests.config.processes import Up, finished
from tests.events.webhooks.receiver import Receiver
from tests.notifications.delivery.scene import FOREVER
from tests.notifications.delivery.stage import LEVEL

LATEST = "SELECT state, tries, step, error FROM notifications_delivery ORDER BY id DESC LIMIT 1"
COUNT = "SELECT count(*) FROM notifications_delivery"
PATIENCE_S = 120.0


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
        self.comes_to(LATEST, [row])

    def comes_to(self, sql: str, wanted: list[tuple[Any, ...]]) -> None:
        """Wait until the database answers so."""
        end = time.monotonic() + PATIENCE_S
        while (found := self.ask(sql)) != wanted:
            assert time.monotonic() < end, f"it is not {wanted} within {PATIENCE_S} s but {found}"
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
    """Processes of the Procfile."""

    def __init__(self, receiver: Receiver, servers: Fleet, url: str) -> None:
        self.servers, self.url = servers, url
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
    """One process on a folder."""

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
