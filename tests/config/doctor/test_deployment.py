"""A whole deployment, as the Procfile starts it: doctor is content with it, and says who is missing."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from tests.config.deployment import POSTGRES, Services
from tests.config.doctor.conftest import NOBODY
from tests.config.processes import MANAGE, STOP_S, Up, finished, free_port

SECONDS = 180.0
THEIRS = "the-game-of-others"


def collected(folder: Path) -> str:
    """Collect the pages' files, as a release does; return the folder."""
    made = finished(
        MANAGE, "collectstatic", "--noinput", seconds=SECONDS, CLARION_STATIC=str(folder),
        DATABASE_URL=f"{POSTGRES}/none", REDIS_URL="redis://none", CELERY_BROKER_URL="amqp://none",
        SECRET_KEY="s" * 50, CLARION_TOKEN_KEY="t" * 50, CLARION_ALLOWED_HOSTS="none",
        CLARION_CSRF_TRUSTED_ORIGINS="http://none",
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return str(folder)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Services]:
    """All processes of the Procfile, and a game that is somebody's."""
    static = collected(tmp_path_factory.mktemp("static"))
    with Services("doctor", CLARION_STATIC=static) as servers:
        assert finished(MANAGE, "creategame", THEIRS, **servers.environment).returncode == 0
        yield servers


class Doctor:
    """What doctor says of a deployment."""

    def __init__(self, environment: dict[str, str], *options: str) -> None:
        run = finished(MANAGE, "doctor", "--json", *options, seconds=SECONDS, **environment)
        assert run.returncode in {0, 1}, run.stderr
        self.code, self.printed, self.said = run.returncode, run.stdout + run.stderr, json.loads(run.stdout)

    def found(self, check: str) -> list[dict[str, Any]]:
        return [each for each in self.said["findings"] if each["check"] == check]

    def level(self, check: str) -> set[str]:
        return {each["level"] for each in self.found(check)}

    def values(self) -> dict[str, Any]:
        return {name: value for each in self.said["findings"] for name, value in each["values"].items()}

    @property
    def failed(self) -> list[str]:
        return [
            f"{each['check']}: {each['text']}" for each in self.said["findings"] if each["level"] == "fail"
        ]


def ended(servers: Services, kind: str) -> None:
    os.kill(servers.processes[kind].pid, signal.SIGTERM)
    assert servers.processes[kind].wait(3 * STOP_S) == 0, servers.printed(kind)


def rows(servers: Services, sql: str) -> Any:
    with psycopg.connect(servers.environment["DATABASE_URL"], autocommit=True) as postgres:
        return postgres.execute(sql).fetchall()


@pytest.mark.services
def test_with_everything_up_it_passes_and_tells_the_time_of_each_stage(servers: Services) -> None:
    doctor = Doctor(servers.environment, "--url", servers.url)
    assert (doctor.failed, doctor.code, doctor.said["healthy"]) == ([], 0, True)
    assert {"settings.mode", "broker.round_trip", "workers.deliveries", "server.pages"} <= {
        each["check"] for each in doctor.said["findings"] if each["level"] == "ok"
    }
    values = doctor.values()
    stages = [values[f"{name}_ms"] for name in ("posted", "decided", "pushed", "acked")]
    assert all(each > 0 for each in stages)
    assert stages[1:] == sorted(stages[1:])


@pytest.mark.services
def test_again_it_uses_the_same_game_again_and_nobody_else_s_is_touched(servers: Services) -> None:
    for options in (("--url", servers.url), ()):
        doctor = Doctor(servers.environment, "--only", "road", *options)
        assert (doctor.failed, doctor.code) == ([], 0)
    assert rows(servers, "SELECT slug FROM events_game ORDER BY slug") == [("clarion:doctor",), (THEIRS,)]
    theirs = f"(SELECT id FROM events_game WHERE slug = '{THEIRS}')"
    for table in ("events_event", "players_player", "notifications_notification", "notifications_rule"):
        assert rows(servers, f"SELECT count(*) FROM {table} WHERE game_id = {theirs}") == [(0,)], table
    assert rows(servers, "SELECT count(*), count(revoked) FROM events_apikey") == [(1, 1)]
    assert rows(servers, "SELECT count(*) FROM players_player") == [(1,)]
    assert rows(servers, "SELECT count(*) FROM events_heartbeat WHERE name LIKE 'doctor.%'") == [(0,)]


@pytest.mark.services
def test_its_own_game_keeps_every_promise_too(servers: Services) -> None:
    assert Doctor(servers.environment, "--only", "road").code == 0
    verified = finished(MANAGE, "verify", "clarion:doctor", seconds=SECONDS, **servers.environment)
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.services
@pytest.mark.parametrize("kind", ["worker-urgent", "worker", "worker-deliveries"])
def test_a_kind_of_worker_that_is_not_there_is_named_and_the_event_arrives_all_the_same(
    servers: Services, kind: str
) -> None:
    check = {"worker-urgent": "workers.urgent", "worker": "workers.default"}.get(kind, "workers.deliveries")
    ended(servers, kind)
    try:
        doctor = Doctor(servers.environment, "--url", servers.url)
        assert doctor.code == 1
        assert [each.partition(":")[0] for each in doctor.failed] == [check]
        (finding,) = doctor.found(check)
        assert f"nobody works on the queue {check.partition('.')[2]}" in finding["text"]
        assert f"start at least one {kind} of the Procfile" in finding["advice"]
        assert "acked_ms" in doctor.values()  # lanes are drained by age
    finally:
        servers.start(kind)


@pytest.mark.services
def test_a_frozen_worker_is_told_from_one_that_is_not_there(servers: Services) -> None:
    """It is still connected, and takes nothing."""
    os.kill(servers.processes["worker-urgent"].pid, signal.SIGSTOP)
    try:
        doctor = Doctor(servers.environment, "--only", "workers.urgent")
        assert doctor.level("workers.urgent") == {"fail"}
    finally:
        os.kill(servers.processes["worker-urgent"].pid, signal.SIGCONT)


@pytest.mark.services
def test_without_beat_it_says_that_beat_is_not_running(servers: Services) -> None:
    ended(servers, "beat")
    try:
        rows(
            servers,
            "UPDATE events_heartbeat SET at = at - interval '1 hour' WHERE name = 'sweep' RETURNING 1",
        )
        doctor = Doctor(servers.environment, "--only", "workers")
        assert doctor.code == 1
        (finding,) = doctor.found("workers.beat")
        assert (finding["level"], "beat is not running" in finding["text"]) == ("fail", True)
        assert "start exactly one beat" in finding["advice"]
    finally:
        servers.start("beat")


@pytest.mark.services
def test_without_a_web_process_it_says_so(servers: Services) -> None:
    ended(servers, "web")
    try:
        doctor = Doctor(servers.environment, "--url", servers.url)
        assert doctor.code == 1
        assert "cannot be reached: nothing listens there" in doctor.found("server.alive")[0]["text"]
        assert "no web process is connected" in doctor.found("workers.gateways")[0]["text"]
        assert doctor.level("server.pages") == {"not_run"}
        assert doctor.level("road.event") == {"fail"}
    finally:
        servers.start("web")
        servers.wait_until_ready()


@pytest.mark.services
@pytest.mark.parametrize(
    ("variable", "url", "check", "left_out"),
    [
        (
            "CELERY_BROKER_URL",
            f"amqp://guest:hunter2@127.0.0.1:{NOBODY}//",
            "broker.reachable",
            "workers.urgent",
        ),
        ("REDIS_URL", f"redis://:hunter2@127.0.0.1:{NOBODY}/0", "redis.reachable", "redis.pubsub"),
        ("DATABASE_URL", f"postgres://a:hunter2@127.0.0.1:{NOBODY}/a", "database.reachable", "hubs.lanes"),
    ],
)
def test_a_server_that_is_away_is_told_in_time_and_hides_nothing_else(
    servers: Services, variable: str, url: str, check: str, left_out: str
) -> None:
    doctor = Doctor(servers.environment | {variable: url}, "--url", servers.url)
    assert doctor.code == 1
    assert doctor.level(check) == {"fail"}
    assert doctor.level(left_out) == {"not_run"}
    assert doctor.level("server.ready") == {"ok"}  # the server itself has it
    assert "hunter2" not in doctor.printed


@pytest.mark.services
def test_a_server_on_another_database_is_found_out(servers: Services) -> None:
    """What answers at the address does not know a key that was made in the database that doctor sees."""
    name = f"{servers.name}_other"
    with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as postgres:
        postgres.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        try:
            other = servers.environment | {"DATABASE_URL": f"{POSTGRES}/{name}"}
            assert finished(MANAGE, "migrate", "--noinput", "-v0", seconds=SECONDS, **other).returncode == 0
            doctor = Doctor(other, "--url", servers.url, "--only", "road")
        finally:
            postgres.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    (finding,) = doctor.found("road.event")
    assert "does not know a key that was made just now in this database" in finding["text"]
    assert "DATABASE_URL" in finding["advice"]


@pytest.mark.services
def test_no_secret_is_printed_by_any_of_it(servers: Services) -> None:
    printed = Doctor(servers.environment, "--url", servers.url).printed
    for name in ("SECRET_KEY", "CLARION_TOKEN_KEY", "DATABASE_URL", "CELERY_BROKER_URL"):
        assert servers.environment[name] not in printed
    assert "clk_" not in printed


@pytest.mark.embedded
def test_embedded_it_passes_while_it_is_up_and_says_so_when_it_is_not(tmp_path: Path) -> None:
    environment = {"CLARION_DATA": str(tmp_path)}
    with Up(tmp_path) as server:
        doctor = Doctor(environment, "--url", server.url)
        assert (doctor.failed, doctor.code, doctor.said["mode"]) == ([], 0, "embedded")
        assert {"posted_ms", "decided_ms", "pushed_ms", "acked_ms"} <= doctor.values().keys()
        inside = Doctor(environment)
        assert (inside.failed, inside.code) == ([], 0)
        assert inside.level("road.event") == {"ok", "not_run"}
        assert httpx.get(f"{server.url}/play/").status_code == 200
    doctor = Doctor(environment, "--url", f"http://127.0.0.1:{free_port()}")
    assert doctor.code == 1
    assert [each.partition(":")[0] for each in doctor.failed] == ["workers.up", "server.alive"]
    assert doctor.level("road.event") == {"not_run"}
