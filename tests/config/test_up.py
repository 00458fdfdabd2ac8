"""The one-process mode, as a real process."""

import json
import re
import signal
import socket
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.config.processes import MANAGE, STOP_S, Up, finished

pytestmark = pytest.mark.embedded


def player_token(server: Up) -> str:
    """Return a token of one of the demo's players, as its page gets it."""
    with httpx.Client(base_url=server.url) as browser:
        page = browser.get("/play/")
        key = re.search(r'"key":\s*"([^"]+)"', page.text)
        assert key
        answer = browser.post(
            "/play/token",
            json={"player": key.group(1)},
            headers={"X-CSRFToken": browser.cookies["csrftoken"], "Referer": server.url},
        )
        return str(answer.json()["token"])


def test_it_serves_refuses_a_second_instance_and_keeps_its_data(tmp_path: Path) -> None:
    with Up(tmp_path) as first:
        assert first.get("/healthz").json() == {"status": "ok"}
        assert first.get("/readyz").json() == {
            "status": "ok",
            "dependencies": {"database": "ok", "broker": "ok"},
            "breakers": {},
        }
        assert first.get("/").headers["location"] == "/play/"
        assert first.get("/static/unfold/css/styles.css").status_code == 200
        assert "clarion_database_up 1.0" in first.get("/metrics").text
        assert "password" in first.printed
        second = finished(MANAGE, "up", "--port", "0", CLARION_DATA=str(tmp_path))
        assert second.returncode == 1
        assert f"another Clarion (process {first.process.pid}) runs on {tmp_path}" in second.stderr
        code, seconds = first.stop(signal.SIGINT)
    assert (code, seconds < STOP_S) == (0, True)
    assert "Clarion has stopped." in first.printed
    secrets = (tmp_path / "secrets.json").read_text()
    assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600
    with Up(tmp_path) as again:
        assert "password" not in again.printed
        assert (tmp_path / "secrets.json").read_text() == secrets
        assert again.stop(signal.SIGTERM)[0] == 0


def test_a_stop_says_good_bye_to_players_while_a_request_is_under_way(tmp_path: Path) -> None:
    with Up(tmp_path) as server, closing(socket.create_connection(("127.0.0.1", server.port))) as slow:
        slow.sendall(b"POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n")
        with connect(f"ws://127.0.0.1:{server.port}/ws/v1/player", subprotocols=["clarion.v1"]) as player:
            player.send(json.dumps({"type": "connect", "token": player_token(server)}))
            assert json.loads(player.recv(STOP_S))["type"] == "ready"
            server.process.send_signal(signal.SIGTERM)
            types = []
            with pytest.raises(ConnectionClosed) as closed:  # noqa: PT012 - it ends some messages later
                while True:
                    types.append(json.loads(player.recv(STOP_S))["type"])
        assert types[-1] == "bye"
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4205
        assert server.process.wait(STOP_S) == 0


def test_without_the_demo_there_is_none(tmp_path: Path) -> None:
    with Up(tmp_path, "--no-demo") as server:
        assert server.get("/").headers["location"] == "/admin/"
        assert server.get("/play/").status_code == 404
        assert "a player's page" not in server.printed


def test_only_names_of_this_machine_are_served_and_probes_under_any(tmp_path: Path) -> None:
    with Up(tmp_path) as server:
        assert server.get("/play/", headers={"Host": "mallory.example"}).status_code == 400
        assert server.get("/healthz", headers={"Host": "mallory.example"}).status_code == 200


def test_a_taken_port_is_told_with_the_variable_that_chooses_another(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        result = finished(MANAGE, "up", "--port", str(taken.getsockname()[1]), CLARION_DATA=str(tmp_path))
    assert result.returncode == 1
    assert "PORT=" in result.stderr
    assert not (tmp_path / "clarion.sqlite3").exists()


def test_up_refuses_a_database_url(tmp_path: Path) -> None:
    result = finished(MANAGE, "up", CLARION_DATA=str(tmp_path), DATABASE_URL="postgres://db/clarion")
    assert result.returncode == 1
    assert "DATABASE_URL is set" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("-c", "import config.asgi"),
        ("-m", "celery", "-A", "config.celery", "worker"),
        ("-m", "celery", "-A", "config.celery", "beat"),
    ],
)
def test_servers_refuse_a_forgotten_database_url_and_make_nothing(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    folder = tmp_path / "never"
    result = finished(*command, CLARION_DATA=str(folder))
    assert result.returncode != 0
    assert "needs DATABASE_URL" in result.stderr
    assert "manage.py up" in result.stderr
    assert not folder.exists()


def test_data_of_a_later_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "clarion.sqlite3")) as database, database:
        database.execute(
            "CREATE TABLE django_migrations (id integer primary key, app text, name text, applied text)"
        )
        database.execute(
            "INSERT INTO django_migrations VALUES (1, 'events', '9999_from_the_future', '2099-01-01')"
        )
    result = finished(MANAGE, "up", "--port", "0", CLARION_DATA=str(tmp_path))
    assert result.returncode == 1
    assert "later version of Clarion (it has events.9999_from_the_future)" in result.stderr
    assert not (tmp_path / "backups").exists()
