"""Faults that pass by themselves are told from poison: by SQLSTATE where there is one."""

import sqlite3
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, DataError, InterfaceError, OperationalError, ProgrammingError
from psycopg import errors
from psycopg_pool import PoolTimeout

from events.faults import is_transient, sqlstate


def from_driver(kind: type[Exception], cause: Exception) -> Exception:
    """Return an error of Django's as it wraps one of a driver's."""
    error = kind(*cause.args)
    error.__cause__ = cause
    return error


def sqlite_error(code: int) -> Exception:
    cause = sqlite3.OperationalError("told by SQLite")
    cause.sqlite_errorcode = code
    return from_driver(OperationalError, cause)


@pytest.mark.parametrize(
    "cause",
    [
        errors.ConnectionFailure, errors.SqlclientUnableToEstablishSqlconnection, errors.ProtocolViolation,
        errors.SerializationFailure, errors.DeadlockDetected, errors.TooManyConnections, errors.DiskFull,
        errors.OutOfMemory, errors.AdminShutdown, errors.CannotConnectNow, errors.QueryCanceled, errors.CrashShutdown,
        errors.IoError, errors.LockNotAvailable, errors.IdleInTransactionSessionTimeout,
    ],
)  # fmt: skip
def test_a_fault_of_connection_lock_resource_or_operator_passes(cause: type[psycopg.Error]) -> None:
    assert is_transient(from_driver(OperationalError, cause("told by PostgreSQL")))
    assert is_transient(from_driver(DatabaseError, cause("whatever class Django gives it")))
    assert is_transient(cause("not wrapped"))


@pytest.mark.parametrize(
    "cause",
    [
        errors.ProgramLimitExceeded, errors.UniqueViolation, errors.NotNullViolation, errors.StringDataRightTruncation,
        errors.UntranslatableCharacter, errors.NumericValueOutOfRange, errors.UndefinedTable, errors.SyntaxError,
        errors.ObjectInUse, errors.InFailedSqlTransaction, errors.RaiseException, errors.InternalError_,
    ],
)  # fmt: skip
def test_everything_else_is_poison_even_where_the_class_says_operational(cause: type[psycopg.Error]) -> None:
    """A too long index key is an OperationalError; retried for ever it would stop its lane."""
    assert not is_transient(from_driver(OperationalError, cause("told by PostgreSQL")))


@pytest.mark.parametrize(
    "error",
    [
        OperationalError("server closed the connection"),
        InterfaceError("connection already closed"),
        from_driver(OperationalError, psycopg.OperationalError("connection refused")),
        from_driver(OperationalError, PoolTimeout("couldn't get a connection after 2.00 sec")),
    ],
    ids=lambda error: str(error)[:20],
)
def test_a_lost_or_refused_connection_has_no_state_and_passes(error: Exception) -> None:
    assert sqlstate(error) is None
    assert is_transient(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("x"), KeyError("x"), MemoryError(), ConnectionError(), TimeoutError(), OSError(), DataError("x"),
        ProgrammingError("x"), DatabaseError("x"),
    ],
    ids=lambda error: type(error).__name__,
)  # fmt: skip
def test_what_no_database_said_is_poison(error: Exception) -> None:
    assert not is_transient(error)


@pytest.mark.parametrize(
    ("code", "transient"),
    [
        (sqlite3.SQLITE_BUSY, True),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True),
        (sqlite3.SQLITE_LOCKED, True),
        (sqlite3.SQLITE_IOERR, True),
        (sqlite3.SQLITE_IOERR_FSYNC, True),
        (sqlite3.SQLITE_FULL, True),
        (sqlite3.SQLITE_CORRUPT, False),
        (sqlite3.SQLITE_READONLY, False),
        (sqlite3.SQLITE_CONSTRAINT, False),
        (sqlite3.SQLITE_TOOBIG, False),
        (sqlite3.SQLITE_ERROR, False),
    ],
)
def test_sqlite_is_asked_for_its_code_the_extended_ones_too(code: int, transient: bool) -> None:
    assert is_transient(sqlite_error(code)) is transient


def test_a_state_is_found_on_the_error_or_its_cause() -> None:
    error: Any = errors.DeadlockDetected("x")
    assert sqlstate(error) == sqlstate(from_driver(OperationalError, error)) == "40P01"
    assert sqlstate(ValueError("x")) is None
