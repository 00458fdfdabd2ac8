"""What a hub's transactions are bound by, and said together with their first statement."""

from collections.abc import Sequence
from typing import Any

from django.db import connection

LOCK_TIMEOUT_MS = 2_000
STATEMENT_TIMEOUT_MS = 10_000
BOUNDS = (
    f"SET LOCAL lock_timeout = {LOCK_TIMEOUT_MS}; SET LOCAL statement_timeout = {STATEMENT_TIMEOUT_MS};"
    f" SET LOCAL idle_in_transaction_session_timeout = {STATEMENT_TIMEOUT_MS};"
)
"""So that none hangs."""
LAZY = "SET LOCAL synchronous_commit = off;"
"""Its commit does not wait for the disk: only what may be lost with the machine."""


def bound() -> None:
    """Bound what the current transaction may wait and take. SQLite's backend does so itself."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(BOUNDS)


def one_of(statement: str, values: Sequence[Any], *, first: str) -> Any:
    """Return a statement's first row, or None; on PostgreSQL ``first`` goes before it in the same round trip.

    Outside a transaction both together are one.
    """
    with connection.cursor() as cursor:
        if connection.vendor != "postgresql":
            cursor.execute(statement, values)
            return cursor.fetchone()
        cursor.execute(f"{first} {statement}", values)
        for _ in range(first.count(";")):
            cursor.nextset()
        return cursor.fetchone()
