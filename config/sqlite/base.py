"""The backend itself. Django looks for this file by its name."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from django.db.backends.sqlite3 import base
from django.db.utils import OperationalError

from config.sqlite.fair_lock import FairLock

WAIT_S = 2.0
READS = ("SELECT", "PRAGMA", "EXPLAIN", "SAVEPOINT", "RELEASE", "ROLLBACK", "BEGIN", "COMMIT")
WRITES_AFTER_WITH = re.compile(r"\b(INSERT|UPDATE|DELETE|REPLACE)\b", re.IGNORECASE)

_locks: dict[str, FairLock] = {}


class DatabaseWrapper(base.DatabaseWrapper):
    """Holds the fair lock from BEGIN IMMEDIATE to the transaction's end, and around lone writes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Hold nothing yet."""
        super().__init__(*args, **kwargs)
        self._holds = False

    @property
    def holds_turn(self) -> bool:
        """Tell whether this connection has the lock."""
        return self._holds

    @property
    def _fair_lock(self) -> FairLock:
        """One per database file; the name may change after construction, when tests begin."""
        return _locks.setdefault(str(self.settings_dict["NAME"]), FairLock())

    def get_new_connection(self, conn_params: Any) -> Any:
        """Open in write-ahead mode; every commit reaches the disk."""
        connection = super().get_new_connection(conn_params)
        connection.execute("PRAGMA journal_mode=WAL").close()
        connection.execute("PRAGMA synchronous=FULL").close()
        return connection

    def create_cursor(self, name: str | None = None) -> Any:
        """Return a cursor whose lone writes take the lock."""
        return self.connection.cursor(factory=partial(FairCursor, wrapper=self))

    @contextmanager
    def relaxed_durability(self) -> Iterator[None]:
        """Let the transactions inside be lost with the machine, never with the process.

        SQLite's counterpart to PostgreSQL's ``synchronous_commit = off``: it must stand around
        the transaction. Inside one it does nothing, and the outer transaction decides.
        """
        if self.in_atomic_block:
            yield
            return
        self.ensure_connection()
        self._set_synchronous("NORMAL")
        try:
            yield
        finally:
            self._restore_durability()

    def cut(self) -> None:
        """Roll back what this connection's thread has under way, and let the next one write.

        Called on another thread, when this one hangs. What it tries later in its transaction fails.
        """
        if self.in_atomic_block:
            self.closed_in_transaction = self.needs_rollback = True
        held, self._holds = self._holds, False
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()
        if held:
            self._fair_lock.release()

    def turn_held(self) -> tuple[str, float] | None:
        """Return who writes to this database now, by the name of its thread, and for how many seconds."""
        return self._fair_lock.held()

    def take_turn(self) -> None:
        """Wait for the lock.

        Raises:
            OperationalError: it was not to be had in time; told as SQLite tells it, and treated alike.
        """
        if not self._holds:
            if not self._fair_lock.acquire(WAIT_S, self._abandon):
                busy = sqlite3.OperationalError(f"database is locked: no turn within {WAIT_S} s")
                busy.sqlite_errorcode = sqlite3.SQLITE_BUSY
                raise OperationalError(*busy.args) from busy
            self._holds = True

    def end_turn(self) -> None:
        """Let the next one have it."""
        if self._holds:
            self._holds = False
            self._fair_lock.release()

    def end_turn_unless_in_transaction(self) -> None:
        """Let the next one have it, but never in the middle of what was begun."""
        if self.connection is None or not self.connection.in_transaction:
            self.end_turn()

    def set_autocommit(
        self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False
    ) -> None:
        """Leaving a transaction for autocommit ends the turn, however it was left."""
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        if autocommit:
            self.end_turn_unless_in_transaction()

    def _start_transaction_under_autocommit(self) -> None:
        self.take_turn()
        try:
            super()._start_transaction_under_autocommit()  # type: ignore[misc] # Django's, which its stubs leave out
        except BaseException:
            self.end_turn()
            raise

    def _commit(self) -> Any:
        try:
            return super()._commit()  # type: ignore[misc] # Django's, which its stubs leave out
        finally:
            self.end_turn_unless_in_transaction()

    def _rollback(self) -> Any:
        try:
            return super()._rollback()  # type: ignore[misc] # Django's, which its stubs leave out
        finally:
            self.end_turn_unless_in_transaction()

    def _close(self) -> Any:
        try:
            return super()._close()  # type: ignore[misc] # Django's, which its stubs leave out
        finally:
            self.end_turn()

    def _abandon(self) -> None:
        """Roll back what a thread that has ended left open; the lock is taken from it meanwhile."""
        self._holds = False
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()

    def _restore_durability(self) -> None:
        if self.connection is None:
            return  # the next one is opened with FULL
        if self.connection.in_transaction:
            self.close()  # its transaction could not be ended, so the pragma would be refused
        else:
            self._set_synchronous("FULL")

    def _set_synchronous(self, level: str) -> None:
        with self.wrap_database_errors:
            self.connection.execute(f"PRAGMA synchronous={level}").close()


class FairCursor(base.SQLiteCursorWrapper):
    """Takes the lock around a write outside a transaction."""

    def __init__(self, connection: sqlite3.Connection, wrapper: DatabaseWrapper) -> None:
        """Belong to Django's wrapper, which knows whether it has the lock."""
        super().__init__(connection)
        self._wrapper = wrapper

    def execute(self, query: str, params: Any = None) -> Any:
        """Run one statement."""
        with _turn_for(self._wrapper, query):
            return super().execute(query, params)

    def executemany(self, query: str, param_list: Any) -> Any:
        """Run one statement for each set of parameters."""
        with _turn_for(self._wrapper, query):
            return super().executemany(query, param_list)


class _NoTurn:
    """For reads, and for whoever has the turn already."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


class _Turn:
    """One write's turn; if it began a transaction, the turn stays until that ends."""

    def __init__(self, wrapper: DatabaseWrapper) -> None:
        self._wrapper = wrapper

    def __enter__(self) -> None:
        self._wrapper.take_turn()

    def __exit__(self, *_: object) -> None:
        self._wrapper.end_turn_unless_in_transaction()


_NO_TURN = _NoTurn()


def _turn_for(wrapper: DatabaseWrapper, query: str) -> _Turn | _NoTurn:
    return _NO_TURN if wrapper.holds_turn or not writes(query) else _Turn(wrapper)


def writes(query: str) -> bool:
    """Tell whether a statement may write; in doubt it does."""
    start = query.lstrip()[:10].upper()
    if start.startswith("WITH"):
        return WRITES_AFTER_WITH.search(query) is not None
    return not start.startswith(READS)
