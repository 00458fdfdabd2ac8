"""A migrated, empty SQLite database that test runs copy, since migrating takes longer than most of them.

Asking Django to migrate a copy takes seconds too, and finds nothing to do; so nobody asks.

It is kept for as long as the migrations and the locked packages are the same, in the folder that
``CLARION_TEST_MIGRATED`` names or a temporary one; a run that finds none migrates, as users do,
and leaves its database for the next.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from django.core.management.commands.migrate import Command as Migrate
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent
KEPT = 5
"""So many are kept, the newest: each checkout may have migrations of its own."""


def template() -> Path:
    """Return where the database of these migrations is kept, whether it is there or not."""
    files = [ROOT / "requirements-dev.txt", *sorted(ROOT.glob("*/migrations/*.py"))]
    told = hashlib.sha256()
    for file in files:
        told.update(f"{file.relative_to(ROOT)}\n".encode() + file.read_bytes())
    usual = Path(tempfile.gettempdir()) / f"clarion-migrated-{os.getuid()}"
    return Path(os.environ.get("CLARION_TEST_MIGRATED") or usual) / f"{told.hexdigest()[:32]}.sqlite3"


@contextmanager
def copied() -> Iterator[None]:
    """Let Django begin with a copy; where there is none yet, with nothing, and migrate it."""
    if not template().exists():
        yield
        return
    creation: Any = type(connection.creation)
    begin = creation._create_test_db

    def with_copy(self: Any, *args: Any, **kwargs: Any) -> str:
        name = begin(self, *args, **kwargs)
        shutil.copyfile(template(), name)
        return str(name)

    with (
        mock.patch.object(creation, "_create_test_db", with_copy),
        mock.patch.object(Migrate, "handle", return_value=None),
    ):
        yield


def keep() -> None:
    """Leave this run's database, which holds what migrations have made and nothing else, for others."""
    path = template()
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, exist_ok=True)
    draft = path.with_suffix(f".{os.getpid()}")
    connection.ensure_connection()
    with closing(sqlite3.connect(draft)) as copy:
        connection.connection.backup(copy)
    draft.replace(path)  # a run that is cut off leaves none
    for old in sorted(path.parent.glob("*.sqlite3"), key=lambda each: each.stat().st_mtime)[:-KEPT]:
        old.unlink(missing_ok=True)
