"""An upgrade copies what is there first, and never touches what is newer."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from config import __version__
from config.data_folder import DataFolder
from tests.config.processes import MANAGE, Up, finished

pytestmark = pytest.mark.embedded

HARMLESS = ("auth", "0012_alter_user_first_name_max_length")
"""A migration that may be applied twice."""


def test_an_upgrade_copies_the_data_before_it_migrates_and_a_plain_start_does_not(tmp_path: Path) -> None:
    database, backups = tmp_path / "clarion.sqlite3", tmp_path / "backups"
    with Up(tmp_path, "--no-demo") as server:
        assert server.stop()[0] == 0
    assert not backups.exists()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM django_migrations WHERE app = ? AND name = ?", HARMLESS)
        connection.execute("UPDATE auth_user SET first_name = 'Olive'")
    (tmp_path / "version").write_text("0.0.9\n")  # as an earlier release left it
    for _ in range(2):
        with Up(tmp_path, "--no-demo") as server:
            assert server.get("/readyz").json()["status"] == "ok"
            assert "password" not in server.printed
            server.stop()
    (copy,) = backups.iterdir()
    with closing(sqlite3.connect(copy)) as before:
        applied = before.execute("SELECT 1 FROM django_migrations WHERE app = ? AND name = ?", HARMLESS)
        assert applied.fetchall() == []
        assert before.execute("SELECT first_name FROM auth_user").fetchall() == [("Olive",)]
    assert (tmp_path / "version").read_text().strip() == __version__


def test_a_folder_that_a_later_version_has_written_is_refused_and_left_alone(tmp_path: Path) -> None:
    DataFolder(tmp_path).record_version("99.0.0")
    result = finished(MANAGE, "up", "--port", "0", CLARION_DATA=str(tmp_path))
    assert result.returncode == 1
    assert f"was written by Clarion 99.0.0, and this is {__version__}" in result.stderr
    assert not (tmp_path / "backups").exists()
    assert (tmp_path / "version").read_text().strip() == "99.0.0"
