"""Drain at deploy, with processes as the Procfile starts them: announced, finished, gone within 30 s."""

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.config.deployment import POSTGRES, Services
from tests.config.hanging.hub import SEEN
from tests.config.processes import MANAGE, finished
from tests.config.uploads import Upload, event

pytestmark = pytest.mark.services

GAME = "drained"
TIMES_SEEN = """
SELECT count(*) FROM hanging_seen seen JOIN events_event event ON event.id = seen.event_id
WHERE event.event_id = 'hangs' HAVING count(*) > 0
"""
GONE_S = 30
"""The promise."""
PATIENCE_S = 60
AGAIN_S = 1.0
"""Longer than a manager takes to pass one word on twice."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """A deployment with one more hub, which may hang; ``/readyz`` is true for two seconds before the port goes."""
    folder = tmp_path_factory.mktemp("hanging")
    variables = {"DJANGO_SETTINGS_MODULE": "tests.config.hanging.settings", "HANGING": str(folder)}
    with Services("drain", CLARION_DRAIN_DELAY="2", **variables) as servers:
        made = finished(MANAGE, "creategame", GAME, **servers.environment)
        assert made.returncode == 0, made.stderr
        sql(servers, SEEN)
        yield servers


@pytest.fixture(scope="module")
def key(servers: Services) -> str:
    return finished(MANAGE, "apikey", GAME, "--name", "tests", **servers.environment).stdout.strip()


@pytest.fixture
def web(servers: Services) -> Iterator[Services]:
    """A web process that the test ends, and another one afterwards."""
    servers.wait_until_ready()
    yield servers
    if servers.processes["web"].poll() is None:
        servers.processes["web"].kill()
        servers.processes["web"].wait()
    servers.start("web")


def tell(servers: Services, kind: str = "web") -> None:
    os.kill(servers.processes[kind].pid, signal.SIGTERM)


def eventually(condition: Callable[[], Any]) -> Any:
    """Return what it returns as soon as that is something."""
    end = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


def announced(client: httpx.Client) -> httpx.Response:
    """Wait until it says that it ends; return that answer."""
    return eventually(lambda: (answer := client.get("/readyz")).status_code == 503 and answer)


def sql(servers: Services, statement: str) -> list[Any]:
    with psycopg.connect(f"{POSTGRES}/{servers.name}", autocommit=True) as postgres:
        cursor = postgres.execute(statement)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


def refused(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_it_says_so_at_once_and_a_request_under_way_is_answered(web: Services, key: str) -> None:
    with httpx.Client(base_url=web.url) as balancer, Upload(web.port, key, event("uploaded")) as upload:
        assert "connection" not in balancer.get("/readyz").headers
        tell(web)
        told = announced(balancer)
        assert told.json()["status"] == "draining"
        assert told.headers["connection"] == "close"
        assert balancer.get("/healthz").status_code == 200, (
            "until it has looked it sends requests, and gets answers"
        )
        eventually(lambda: refused(web.port))
        answer = upload.ends()
        assert (answer.status, answer.headers["connection"]) == (201, "close")
    assert web.processes["web"].wait(GONE_S) == 0
    assert "request.cut" not in web.printed("web")
    assert sql(web, "SELECT 1 FROM events_event WHERE event_id = 'uploaded'")


def test_an_append_whose_commit_is_under_way_is_answered_and_in_the_log(web: Services, key: str) -> None:
    with psycopg.connect(f"{POSTGRES}/{web.name}") as holder, httpx.Client(base_url=web.url) as balancer:
        holder.execute("SELECT 1 FROM events_partition FOR NO KEY UPDATE")
        with Upload(web.port, key, event("committed")) as upload:
            upload.sends_the_rest()
            waits = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
            eventually(lambda: sql(web, waits))
            tell(web)
            announced(balancer)
            holder.rollback()
            assert upload.answer().status == 201
    assert web.processes["web"].wait(GONE_S) == 0
    assert sql(web, "SELECT 1 FROM events_event WHERE event_id = 'committed'")


def test_a_connection_that_is_kept_alive_is_served_until_the_end_and_told_that_it_ends(
    web: Services, key: str
) -> None:
    with Upload(web.port, key, event("holds it up")) as upload, closing(Kept(web.port)) as kept:
        assert "connection" not in kept.asks()
        tell(web)
        eventually(lambda: refused(web.port))
        assert kept.asks()["connection"] == "close"
        assert kept.has_ended()
        assert upload.ends().status == 201
    assert web.processes["web"].wait(GONE_S) == 0


def test_who_is_told_again_ends_at_once(web: Services, key: str) -> None:
    with httpx.Client(base_url=web.url) as balancer, Upload(web.port, key, event("never")):
        tell(web)
        announced(balancer)
        time.sleep(AGAIN_S)  # the same word, passed on twice, would come sooner
        tell(web)
        assert web.processes["web"].wait(GONE_S) == 128 + signal.SIGTERM


def test_a_worker_with_a_projection_that_hangs_is_gone_in_time_and_others_do_its_work_once(
    servers: Services, key: str
) -> None:
    folder = Path(servers.environment["HANGING"])
    servers.wait_until_ready()
    os.killpg(servers.processes["worker"].pid, signal.SIGKILL)
    servers.processes["worker"].wait()
    servers.start("worker", HANGS="1")
    (folder / "on").touch()
    with httpx.Client(base_url=servers.url, headers={"Authorization": f"Bearer {key}"}) as game:
        assert game.post("/api/v1/events", json=event("hangs")).status_code == 201
    eventually((folder / "hangs").exists)
    (folder / "on").unlink()
    tell(servers, "worker")
    assert servers.processes["worker"].wait(GONE_S) == 0, servers.printed("worker")
    assert "worker.cut" in servers.printed("worker")
    assert eventually(lambda: sql(servers, TIMES_SEEN)) == [(1,)]
    assert sql(servers, "SELECT count(*) FROM events_deadletter") == [(0,)]
    servers.start("worker")


class Kept:
    """A connection that is kept alive, and asked over."""

    def __init__(self, port: int) -> None:
        self._http = HTTPConnection("127.0.0.1", port, PATIENCE_S)
        self._http.connect()
        self._http.auto_open = 0
        self._socket = self._http.sock.dup()

    def asks(self) -> HTTPMessage:
        """Ask for health; return the answer's headers."""
        self._http.request("GET", "/healthz")
        answer = self._http.getresponse()
        assert (answer.status, answer.read()) == (200, b'{"status": "ok"}')
        return answer.headers

    def has_ended(self) -> bool:
        """Wait for the other side to end it."""
        return self._socket.recv(1) == b""

    def close(self) -> None:
        self._socket.close()
        self._http.close()
