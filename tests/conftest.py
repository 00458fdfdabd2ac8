"""What every test shares: nothing stays in the process; ``tests.settings`` says on what it runs."""

import contextlib
import os
import shutil
from collections.abc import Iterator

import pytest
import pytest_django

from events.stopping import STOPPING, Stopping

BACKEND = os.environ.get("CLARION_TEST_BACKEND", "embedded")
CI = os.environ.get("CI") == "true"


@pytest.fixture(autouse=True)
def _nothing_stays_in_the_process() -> Iterator[None]:
    """Stop the append thread (its connection would outlive the test) and forget remembered rows."""
    yield
    from events import breakers, games, keys, pressure, producers, ratelimit  # noqa: PLC0415 - Django's apps are loaded only now
    from events.hubs import patience, sampling  # noqa: PLC0415 - as above
    from events.log import partitions  # noqa: PLC0415 - as above
    from events.log.appending import committer  # noqa: PLC0415 - as above
    from events.replays import hold  # noqa: PLC0415 - as above
    from notifications import rulebook  # noqa: PLC0415 - as above
    from notifications.delivery import outlets  # noqa: PLC0415 - as above
    from players import known, origins, tokens  # noqa: PLC0415 - as above

    committer.stop()
    for remembering in (
        breakers,
        games,
        keys,
        pressure,
        producers,
        ratelimit,
        patience,
        sampling,
        partitions,
        rulebook,
        known,
        origins,
        tokens,
        outlets,
        hold,
    ):
        remembering.forget()


@pytest.fixture(scope="session", autouse=True)
def _tables_are_emptied_quickly() -> Iterator[None]:
    """DELETE where Django would TRUNCATE, which takes PostgreSQL 0.8 s for 39 tables with little in them.

    In any order: foreign keys are checked at the end of the transaction.
    """
    from django.db.backends.postgresql.operations import DatabaseOperations  # noqa: PLC0415 - as above

    def sql_flush(self: DatabaseOperations, _style: object, tables: list[str], **_: bool) -> list[str]:
        return [f"DELETE FROM {self.quote_name(table)}" for table in tables]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DatabaseOperations, "sql_flush", sql_flush)
        yield


@pytest.fixture(scope="session")
def copying() -> Iterator[contextlib.ExitStack]:
    """Hold what lets Django begin with a copy of a migrated database, until it has."""
    with contextlib.ExitStack() as stack:
        yield stack


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None,  # noqa: ARG001 - pytest-django's, which goes first
    copying: contextlib.ExitStack,
) -> None:
    """Begin with a copy of what an earlier run has migrated."""
    if BACKEND != "services":
        from tests import migrated  # noqa: PLC0415 - Django's apps are loaded only now

        copying.enter_context(migrated.copied())


@pytest.fixture(scope="session")
def django_db_setup(
    django_db_setup: None,  # noqa: ARG001 - as above
    django_db_blocker: pytest_django.DjangoDbBlocker,
    copying: contextlib.ExitStack,
) -> None:
    """Leave the migrated database for later runs, before any test has written into it."""
    copying.close()
    if BACKEND != "services":
        from tests import migrated  # noqa: PLC0415 - as above

        with django_db_blocker.unblock():
            migrated.keep()


@pytest.fixture
def services() -> bool:
    """Tell whether this run is on PostgreSQL, Redis and RabbitMQ."""
    return BACKEND == "services"


@pytest.fixture
def stopping() -> Iterator[Stopping]:
    """Whether this process was told to end; after the test it was not."""
    yield STOPPING
    STOPPING.clear()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is not to be run, and say why.

    Tests that need what is not here are skipped; under CI they are run, and fail. On services, tests without a
    database are left to the embedded run: they would only do the same again.
    """
    if BACKEND == "services":
        same = [item for item in items if not _differs_on_services(item)]
        config.hook.pytest_deselected(items=same)
        items[:] = [item for item in items if item not in set(same)]
    for item in items:
        if BACKEND != "services" and "services" in item.keywords:
            item.add_marker(pytest.mark.skip(reason="needs CLARION_TEST_SERVICES=1"))
        missing = [
            name for mark in item.iter_markers("needs") for name in mark.args if not shutil.which(name)
        ]
        if missing and not CI:
            item.add_marker(pytest.mark.skip(reason=f"there is no {', no '.join(missing)} on this machine"))


def _differs_on_services(item: pytest.Item) -> bool:
    """Tell whether a test uses a database, or asks for services by its mark."""
    marked = any(item.get_closest_marker(name) for name in ("django_db", "services", "browser"))
    return marked or bool({"db", "transactional_db", "services"} & set(getattr(item, "fixturenames", ())))
