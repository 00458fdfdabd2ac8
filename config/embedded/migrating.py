"""Bringing the embedded database to this version: refuse newer data, copy it, migrate."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.recorder import MigrationRecorder

from config import __version__
from config.data_folder import DataFolder, DataIsNewer

COPIES_KEPT = 5
ROOMS = ("events", "players", "notifications")


def migrate(folder: DataFolder) -> None:
    """Migrate if needed, after a copy of what is there.

    Raises:
        DataIsNewer: a later version has written here, or has made migrations that this one does not know.
    """
    folder.refuse_newer(__version__)
    executor = MigrationExecutor(connection)
    applied = set(MigrationRecorder(connection).applied_migrations())
    _refuse_unknown(applied - set(executor.loader.disk_migrations), folder)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        if applied:
            copy(folder.database, folder.backups)
        call_command("migrate", verbosity=0, interactive=False)
    folder.record_version(__version__)


def copy(database: Path, backups: Path) -> Path:
    """Copy the database by SQLite's backup, which needs no standstill; return the copy's path.

    The newest five are kept.
    """
    backups.mkdir(exist_ok=True)
    target = backups / f"clarion-{datetime.now(UTC):%Y%m%dT%H%M%S%f}.sqlite3"
    draft = target.with_suffix(".draft")
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(draft)) as destination:
        source.backup(destination)
    draft.replace(target)  # a copy that a full disk cut off never looks like one
    for old in sorted(backups.glob("clarion-*.sqlite3"))[:-COPIES_KEPT]:
        old.unlink()
    return target


def _refuse_unknown(unknown: set[tuple[str, str]], folder: DataFolder) -> None:
    ours = sorted(f"{app}.{name}" for app, name in unknown if app in ROOMS)
    if ours:
        raise DataIsNewer(
            f"the data in {folder.path} was written by a later version of Clarion (it has {', '.join(ours)});"
            " start that version, or name another folder: CLARION_DATA="
        )
