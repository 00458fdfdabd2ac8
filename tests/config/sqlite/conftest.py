"""A database file of its own on our backend, whatever the other tests run on."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connections

ALIAS = "fair"


@pytest.fixture
def fair(tmp_path: Path, django_db_blocker: pytest.FixtureRequest) -> Iterator[str]:
    """Return the alias of an empty database with one table."""
    connections.settings[ALIAS] = connections.configure_settings(
        {
            "default": {},
            ALIAS: {
                "ENGINE": "config.sqlite",
                "NAME": tmp_path / "fair.sqlite3",
                "OPTIONS": {"timeout": 5, "transaction_mode": "IMMEDIATE"},
            },
        }
    )[ALIAS]
    with django_db_blocker.unblock():  # type: ignore[attr-defined]
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("CREATE TABLE written (who text, number integer UNIQUE)")
        yield ALIAS
        connections[ALIAS].close()
    del connections[ALIAS]
    del connections.settings[ALIAS]
