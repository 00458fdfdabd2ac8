"""Which faults pass by themselves, and which are poison. Decided by SQLSTATE where there is one.

The class of an exception is not enough: a too long index key raises ``OperationalError``
as a lost connection does, and would stop a lane for ever if it were retried.
"""

import sqlite3

from django.db import Error, InterfaceError, OperationalError

TRANSIENT_CLASSES = ("08", "40", "53", "57", "58")
"""Connection, rollback (deadlock, serialization), resources (disk, memory), operator, system."""
TRANSIENT_STATES = ("55P03", "25P03")
"""Lock not available; idle in transaction for too long."""
TRANSIENT_SQLITE = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL}
)


def sqlstate(error: BaseException) -> str | None:
    """Return the SQLSTATE of a database error, Django's or the driver's, or None."""
    for candidate in (error, error.__cause__):
        state = getattr(candidate, "sqlstate", None)
        if isinstance(state, str):
            return state
    return None


def is_transient(error: BaseException) -> bool:
    """Tell whether the same work may succeed later without anybody changing anything."""
    if (state := sqlstate(error)) is not None:
        return state.startswith(TRANSIENT_CLASSES) or state in TRANSIENT_STATES
    if (code := _sqlite_code(error)) is not None:
        return (code & 0xFF) in TRANSIENT_SQLITE  # the low byte is the primary code
    return isinstance(error, Error) and isinstance(error, OperationalError | InterfaceError)


def _sqlite_code(error: BaseException) -> int | None:
    for candidate in (error, error.__cause__):
        code = getattr(candidate, "sqlite_errorcode", None)
        if isinstance(code, int):
            return code
    return None
