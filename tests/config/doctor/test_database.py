"""The database: healthy as the tests have it, and each way in which it may be broken."""

from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection, connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from config.doctor import clocks, database
from config.doctor import versions as versions_of
from config.doctor.finding import Level
from events import breakers, lineage
from events.models import Lineage
from tests.config.doctor.conftest import NOBODY, SECRET, looked
from tests.given import given_game

pytestmark = pytest.mark.django_db(transaction=True)


def levels(check: Any) -> set[Level]:
    return {each.level for each in looked(check)}


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let this thread's connection lead somewhere else, with a password that must not be told."""

    def lead(**to: Any) -> None:
        connections["default"].close()
        for name, value in to.items():
            monkeypatch.setitem(connections["default"].settings_dict, name, value)

    yield lead
    connections["default"].close()
    breakers.forget()


def test_a_healthy_one_is_told_with_its_round_trip() -> None:
    (found,) = looked(database.Reachable())
    assert found.level is Level.OK
    assert float(str(found.values["round_trip_ms"])) > 0


def test_a_distant_one_is_a_warning_with_the_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_round_trip_ms", lambda: 35.0)
    (found,) = looked(database.Reachable())
    assert (found.level, found.values) == (Level.WARN, {"round_trip_ms": 35.0})


@pytest.mark.services
def test_one_that_is_not_there_fails_with_why_and_no_password(elsewhere: Any) -> None:
    elsewhere(HOST="127.0.0.1", PORT=NOBODY, PASSWORD=SECRET)
    (found,) = looked(database.Reachable())
    assert found.level is Level.FAIL
    assert "nothing listens there" in found.text
    assert "DATABASE_URL" in found.advice
    assert SECRET not in found.text + found.advice


@pytest.mark.services
def test_one_without_such_a_database_says_so(elsewhere: Any) -> None:
    elsewhere(NAME="clarion_has_none_of_this_name")
    (found,) = looked(database.Reachable())
    assert (found.level, found.text) == (
        Level.FAIL,
        "the database cannot be reached: there is no such database or user (OperationalError)",
    )


@pytest.mark.embedded
def test_a_folder_without_a_database_says_how_one_comes_to_be(elsewhere: Any, tmp_path: Path) -> None:
    elsewhere(NAME=tmp_path / "none.sqlite3")
    (found,) = looked(database.Reachable())
    assert found.level is Level.FAIL
    assert "manage.py up" in found.advice
    assert not (tmp_path / "none.sqlite3").exists()


def test_migrations_that_are_missing_and_those_that_nobody_knows_fail() -> None:
    assert levels(database.Migrations()) == {Level.OK}
    recorder = MigrationRecorder(connection)
    _, newest = MigrationLoader(connection).graph.leaf_nodes("events")[0]
    recorder.record_unapplied("events", newest)
    recorder.record_applied("events", "9999_from_the_future")
    try:
        found = looked(database.Migrations())
    finally:
        recorder.record_applied("events", newest)
        recorder.record_unapplied("events", "9999_from_the_future")
    assert {each.level for each in found} == {Level.FAIL}
    assert any(f"events.{newest}" in each.text and "migrate" not in each.text for each in found)
    assert any("events.9999_from_the_future" in each.text for each in found)


def test_durable_as_it_is() -> None:
    assert levels(database.Durability()) == {Level.OK}


@pytest.mark.services
@pytest.mark.parametrize("name", ["synchronous_commit"])
def test_a_commit_that_does_not_wait_for_the_disk_fails(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET {name} = off")
        try:
            found = looked(database.Durability())
        finally:
            cursor.execute(f"RESET {name}")
    assert [each.level for each in found] == [Level.FAIL]
    assert f"{name} is off" in found[0].text


@pytest.mark.services
def test_a_server_that_forgets_at_a_power_cut_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_one", lambda sql: "off" if "fsync" in sql else "on")
    (found,) = looked(database.Durability())
    assert (found.level, found.advice) == (
        Level.FAIL,
        "ALTER SYSTEM SET fsync = on; SELECT pg_reload_conf();",
    )


@pytest.mark.embedded
def test_a_file_that_does_not_wait_for_the_disk_fails() -> None:
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA synchronous=OFF")
        try:
            assert levels(database.Durability()) == {Level.FAIL}
        finally:
            cursor.execute("PRAGMA synchronous=FULL")


@pytest.mark.services
def test_a_history_that_is_not_the_one_of_the_epochs_fails() -> None:
    given_game()
    lineage.settle(lineage.identity())
    assert levels(database.History()) == {Level.OK}
    Lineage.objects.update(identity="1:00000001:1")
    (found,) = looked(database.History())
    assert found.level is Level.FAIL
    assert "newepoch" in found.advice


@pytest.mark.services
def test_a_database_that_does_not_say_which_one_it_is_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    given_game()
    monkeypatch.setattr(lineage, "identity", lambda: "")
    (found,) = looked(database.History())
    assert (found.level, "newepoch" in found.advice) == (Level.WARN, True)


@pytest.mark.embedded
def test_embedded_tells_its_tick() -> None:
    given_game()
    lineage.tick()
    (found,) = looked(database.History())
    assert (found.level, found.text) == (Level.OK, "the database is at tick 1")


@pytest.mark.services
def test_a_forgotten_transaction_is_named_without_what_it_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(database.Transactions()) == {Level.OK}
    monkeypatch.setattr(database, "LONG", database.timedelta(0))
    parameters = connection.get_connection_params() | {"application_name": "forgotten"}
    with psycopg.connect(**parameters) as forgotten:
        forgotten.execute("SELECT %s", [SECRET])
        (found,) = looked(database.Transactions())
        pid = forgotten.info.backend_pid
    assert found.level is Level.WARN
    assert f"forgotten (pid {pid})" in found.text
    assert f"pg_terminate_backend({pid})" in found.advice
    assert SECRET not in found.text + found.advice


@pytest.mark.services
@pytest.mark.parametrize(("used", "level"), [(10, Level.OK), (85, Level.WARN), (99, Level.FAIL)])
def test_connections_that_run_out_are_told(monkeypatch: pytest.MonkeyPatch, used: int, level: Level) -> None:
    monkeypatch.setattr(database, "_one", lambda sql: 100 if "max_connections" in sql else used)
    (found,) = looked(database.Connections())
    assert (found.level, found.values) == (level, {"used": used, "most": 100})


@pytest.mark.services
def test_a_standby_fails_and_so_does_what_may_not_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    assert levels(database.Writable()) == {Level.OK}
    with connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        found = looked(database.Writable())
        cursor.execute("SET default_transaction_read_only = off")
    assert [each.level for each in found] == [Level.FAIL]
    monkeypatch.setattr(database, "_one", lambda _sql: True)
    assert "standby" in looked(database.Writable())[0].text


@pytest.mark.services
def test_version_and_clock_of_the_server_are_fine() -> None:
    assert levels(versions_of.PostgreSQL()) == {Level.OK}
    assert levels(clocks.DatabaseClock()) == {Level.OK}


@pytest.mark.services
def test_a_server_whose_clock_is_wrong_fails_with_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clocks, "database_skew_s", lambda: 47.3)
    (found,) = looked(clocks.DatabaseClock())
    assert (found.level, found.values) == (Level.FAIL, {"skew_s": 47.3})
    assert "47.3 s" in found.text


@pytest.mark.parametrize(
    ("skew_s", "level"), [(0.0, Level.OK), (0.4, Level.OK), (0.6, Level.WARN), (2.1, Level.FAIL)]
)
def test_clocks_that_differ_are_judged_by_the_alarm_s_limit(skew_s: float, level: Level) -> None:
    assert clocks.judged("a server", skew_s).level is level
