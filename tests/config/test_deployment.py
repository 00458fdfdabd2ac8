"""Services as the Procfile starts them: ready, working, and gone in time when told."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import psycopg
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.config.deployment import Services
from tests.config.processes import MANAGE, STOP_S, finished

pytestmark = pytest.mark.services

GAME = "loadtest"
PATIENCE_S = 60


@pytest.fixture(scope="module")
def servers() -> Iterator[Services]:
    """Web, three workers and beat, with the demo's rules in a game that is not the demo."""
    with Services("deployment") as servers:
        installed = finished(MANAGE, "installdemo", GAME, **servers.environment)
        assert installed.returncode == 0, installed.stderr
        yield servers


@pytest.fixture(scope="module")
def key(servers: Services) -> str:
    """An operator's key."""
    return finished(MANAGE, "apikey", GAME, "--name", "tests", **servers.environment).stdout.strip()


def told_to_end(servers: Services, kind: str) -> float:
    """Send SIGTERM as a process manager does; return the seconds until the process is gone."""
    began = time.monotonic()
    os.kill(servers.processes[kind].pid, signal.SIGTERM)
    assert servers.processes[kind].wait(3 * STOP_S) == 0, servers.printed(kind)
    return time.monotonic() - began


def ask(servers: Services, sql: str) -> list[Any]:
    with psycopg.connect(servers.environment["DATABASE_URL"], autocommit=True) as postgres:
        return postgres.execute(sql).fetchall()  # type: ignore[arg-type]


def eventually(found: Callable[[], list[Any]]) -> list[Any]:
    """Return what is found as soon as there is something."""
    end = time.monotonic() + PATIENCE_S
    while not (rows := found()):
        assert time.monotonic() < end, f"nothing within {PATIENCE_S} s"
        time.sleep(0.1)
    return rows


def test_it_is_ready_and_names_each_dependency(servers: Services) -> None:
    ready = httpx.get(f"{servers.url}/readyz").json()
    assert ready["status"] == "ok"
    assert ready["dependencies"] == {"database": "ok", "broker": "ok", "redis": "ok"}
    assert {name: each["state"] for name, each in ready["breakers"].items()} == dict.fromkeys(
        ("database", "broker", "redis", "rate limits"), "closed"
    )
    assert "clarion_database_up 1.0" in httpx.get(f"{servers.url}/metrics").text


def test_a_load_test_loses_nothing(servers: Services, key: str) -> None:
    result = finished(
        MANAGE, "loadtest", "--url", servers.url, "--game", GAME, "--key", key, "--players", "20",
        "--rate", "40", "--seconds", "2", "--json", seconds=90, **servers.environment,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
    figures = json.loads(result.stdout)
    assert (figures["lost"], figures["doubled"], figures["out_of_order"]) == (0, 0, 0)


def test_a_web_process_says_good_bye_and_leaves_in_time(servers: Services) -> None:
    token = finished(MANAGE, "token", GAME, "alice", **servers.environment).stdout.strip()
    with connect(f"ws://127.0.0.1:{servers.port}/ws/v1/player", subprotocols=["clarion.v1"]) as player:
        player.send(json.dumps({"type": "connect", "token": token}))
        assert json.loads(player.recv(STOP_S))["type"] == "ready"
        assert told_to_end(servers, "web") < STOP_S
        said = []
        with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 - it ends some messages later
            while True:
                said.append(json.loads(player.recv(STOP_S)))
    assert said[-1]["type"] == "bye"
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == said[-1]["code"] == 4205
    servers.start("web")
    servers.wait_until_ready()


@pytest.mark.parametrize("kind", ["worker-urgent", "worker", "worker-deliveries", "beat"])
def test_workers_and_beat_leave_in_time(servers: Services, kind: str) -> None:
    assert told_to_end(servers, kind) < STOP_S
    servers.start(kind)
    servers.wait_until_ready()


def test_a_web_process_alone_notices_that_nobody_sweeps_any_more(servers: Services) -> None:
    for kind in ("beat", "worker", "worker-urgent"):
        os.killpg(servers.processes[kind].pid, signal.SIGKILL)
        servers.processes[kind].wait()
    ask(servers, "UPDATE events_heartbeat SET at = at - interval '1 hour' WHERE name = 'sweep' RETURNING 1")
    alarm = "SELECT severity, ended FROM events_alarm WHERE kind = 'sweeps' AND opened IS NOT NULL"
    (severity, ended), *others = eventually(lambda: ask(servers, alarm))
    assert (severity, ended, others) == ("critical", None, [])
    for kind in ("beat", "worker", "worker-urgent"):
        servers.start(kind)


def test_nothing_that_was_printed_holds_a_secret(servers: Services, key: str) -> None:
    for kind in servers.processes:
        said = servers.printed(kind)
        assert key not in said
        for name in ("SECRET_KEY", "CLARION_TOKEN_KEY"):
            assert servers.environment[name] not in said
