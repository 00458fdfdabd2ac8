"""When the backend takes the lock, and that it lets go on every path."""

import sqlite3
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, OperationalError, connections, transaction

from config.sqlite import base
from events.faults import is_transient

PATIENCE_S = 60.0
THIRTY_MS_OF_WORK = (
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 250000) SELECT count(*) FROM n"
)


def write(alias: str, who: str, number: int) -> None:
    with connections[alias].cursor() as cursor:
        cursor.execute("INSERT INTO written VALUES (%s, %s)", [who, number])


def written(alias: str) -> list[Any]:
    with connections[alias].cursor() as cursor:
        cursor.execute("SELECT number FROM written ORDER BY number")
        return [number for (number,) in cursor.fetchall()]


def on_a_thread(work: Callable[[], None], alias: str) -> threading.Thread:
    """Start work that closes its connection when it ends."""

    def run() -> None:
        try:
            work()
        finally:
            connections[alias].close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def anybody_else_may_write(alias: str) -> bool:
    """Tell whether another thread gets the lock at once."""
    found = []

    def attempt() -> None:
        lock = connections[alias]._fair_lock
        if lock.acquire(0.05, lambda: None):
            found.append(True)
            lock.release()

    on_a_thread(attempt, alias).join(PATIENCE_S)
    return bool(found)


def test_none_of_80_appends_starves_behind_two_busy_loops(fair: str) -> None:
    stop, failed, next_number = threading.Event(), [], iter(range(1_000_000, 9_000_000))

    def busy(who: str) -> None:
        while not stop.is_set():
            with transaction.atomic(using=fair):
                write(fair, who, next(next_number))
                with connections[fair].cursor() as cursor:
                    cursor.execute(THIRTY_MS_OF_WORK)

    loops = [on_a_thread(lambda who=who: busy(who), fair) for who in ("hub", "beat")]
    for number in range(80):
        try:
            with transaction.atomic(using=fair):
                write(fair, "append", number)
        except OperationalError as error:
            failed.append(str(error))
    stop.set()
    for loop in loops:
        loop.join(PATIENCE_S)
    assert failed == []
    assert written(fair)[:80] == list(range(80))


def test_who_waits_too_long_gets_an_error_that_counts_as_busy(fair: str, monkeypatch) -> None:
    monkeypatch.setattr(base, "WAIT_S", 0.05)
    errors: list[DatabaseError] = []

    def late() -> None:
        try:
            write(fair, "late", 2)
        except DatabaseError as error:
            errors.append(error)

    with transaction.atomic(using=fair):
        write(fair, "holder", 1)
        on_a_thread(late, fair).join(PATIENCE_S)
    assert "database is locked" in str(errors[0])
    assert is_transient(errors[0])
    assert written(fair) == [1]


def test_a_transaction_keeps_the_turn_through_savepoints_and_a_commit_ends_it(fair: str) -> None:
    with transaction.atomic(using=fair):
        with transaction.atomic(using=fair):
            write(fair, "inner", 1)
        assert not anybody_else_may_write(fair)
        with pytest.raises(IntegrityError), transaction.atomic(using=fair):
            write(fair, "again", 1)
        assert not anybody_else_may_write(fair)
    assert anybody_else_may_write(fair)
    assert written(fair) == [1]


def test_a_transaction_begun_by_hand_keeps_the_turn_until_its_commit(fair: str) -> None:
    transaction.set_autocommit(False, using=fair)
    write(fair, "by hand", 1)
    assert not anybody_else_may_write(fair)
    transaction.commit(using=fair)
    assert anybody_else_may_write(fair)
    transaction.set_autocommit(True, using=fair)


def test_a_rollback_ends_the_turn(fair: str) -> None:
    with pytest.raises(RuntimeError), transaction.atomic(using=fair):  # noqa: PT012 - fails after the write
        write(fair, "nobody", 1)
        raise RuntimeError
    assert anybody_else_may_write(fair)
    assert written(fair) == []


def test_a_lone_write_that_fails_ends_the_turn(fair: str) -> None:
    write(fair, "first", 1)
    with pytest.raises(IntegrityError):
        write(fair, "second", 1)
    assert anybody_else_may_write(fair)


def test_a_begin_that_fails_ends_the_turn(fair: str) -> None:
    connections[fair].settings_dict["OPTIONS"]["timeout"] = 0
    connections[fair].close()
    outsider = sqlite3.connect(connections[fair].settings_dict["NAME"], isolation_level=None)
    outsider.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError), transaction.atomic(using=fair):
        write(fair, "nobody", 1)
    outsider.execute("ROLLBACK")
    outsider.close()
    assert anybody_else_may_write(fair)


def test_a_close_inside_a_transaction_ends_the_turn(fair: str) -> None:
    with transaction.atomic(using=fair):
        write(fair, "nobody", 1)
        connections[fair].close()
        assert anybody_else_may_write(fair)
    assert written(fair) == []


def test_a_rollback_that_fails_ends_the_turn(fair: str, monkeypatch) -> None:
    def broken(_self: Any) -> None:
        raise OperationalError("disk I/O error")

    monkeypatch.setattr(base.base.DatabaseWrapper, "_rollback", broken)
    with pytest.raises(RuntimeError), transaction.atomic(using=fair):  # noqa: PT012 - fails after the write
        write(fair, "nobody", 1)
        raise RuntimeError
    assert anybody_else_may_write(fair)


def test_a_thread_that_ends_in_its_transaction_leaves_nothing_behind(fair: str) -> None:
    left_open = []

    def vanish() -> None:
        transaction.Atomic(fair, savepoint=True, durable=False).__enter__()
        write(fair, "ghost", 1)
        left_open.append(connections[fair])  # kept alive: no garbage collector may help

    thread = threading.Thread(target=vanish)
    thread.start()
    thread.join(PATIENCE_S)
    write(fair, "living", 2)
    assert written(fair) == [2]


def test_reads_wait_for_nobody(fair: str) -> None:
    write(fair, "first", 1)
    seen: list[list[int]] = []
    with transaction.atomic(using=fair):
        write(fair, "second", 2)
        on_a_thread(lambda: seen.append(written(fair)), fair).join(PATIENCE_S)
    assert seen == [[1]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("SELECT 1", False),
        ("  select 1", False),
        ("PRAGMA journal_mode", False),
        ("WITH n AS (SELECT 1) SELECT * FROM n", False),
        ("WITH n AS (SELECT 1) INSERT INTO written SELECT * FROM n", True),
        ("INSERT INTO written VALUES (1)", True),
        ("VACUUM", True),
    ],
)
def test_writes_are_told_from_reads(query: str, expected: bool) -> None:
    assert base.writes(query) is expected


def test_every_commit_reaches_the_disk_unless_it_is_relaxed(fair: str) -> None:
    def synchronous() -> int:
        with connections[fair].cursor() as cursor:
            cursor.execute("PRAGMA synchronous")
            return int(cursor.fetchone()[0])

    full, normal = 2, 1
    assert synchronous() == full
    with connections[fair].relaxed_durability(), transaction.atomic(using=fair):
        write(fair, "note", 1)
        assert synchronous() == normal
    assert synchronous() == full
    with transaction.atomic(using=fair), connections[fair].relaxed_durability():
        assert synchronous() == full
    with pytest.raises(RuntimeError), connections[fair].relaxed_durability(), transaction.atomic(using=fair):
        raise RuntimeError
    assert synchronous() == full
    with connections[fair].cursor() as cursor:
        cursor.execute("PRAGMA journal_mode")
        assert cursor.fetchone() == ("wal",)
