"""Which processes may run without DATABASE_URL, and what it may name."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.modes import EMBEDDED_ENTRIES, known_role, refuse_by_accident, refuse_other_databases


@pytest.mark.parametrize("role", ["web", "worker"])
@pytest.mark.parametrize("entry", ["", "shell", "UP"])
def test_servers_do_not_become_sqlite_by_a_forgotten_variable(role: str, entry: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"needs DATABASE_URL.*only by: manage\.py up"):
        refuse_by_accident(role, services=False, entry=entry)


@pytest.mark.parametrize("role", ["web", "worker"])
@pytest.mark.parametrize("entry", sorted(EMBEDDED_ENTRIES))
def test_up_and_the_tests_may_run_without_one(role: str, entry: str) -> None:
    refuse_by_accident(role, services=False, entry=entry)


@pytest.mark.parametrize("role", ["web", "worker", "command"])
def test_with_one_every_process_may_run(role: str) -> None:
    refuse_by_accident(role, services=True, entry="")


def test_commands_may_always_run() -> None:
    refuse_by_accident("command", services=False, entry="")


def test_an_unknown_role_is_named_with_those_that_there_are() -> None:
    assert known_role("worker") == "worker"
    with pytest.raises(ImproperlyConfigured, match="'gateway'; it must be one of command, web, worker"):
        known_role("gateway")


@pytest.mark.parametrize("engine", ["django.db.backends.mysql", "django.db.backends.sqlite3", ""])
def test_services_run_on_postgresql_and_nothing_else(engine: str) -> None:
    refuse_other_databases("django.db.backends.postgresql")
    with pytest.raises(ImproperlyConfigured, match="services mode runs on PostgreSQL"):
        refuse_other_databases(engine)
