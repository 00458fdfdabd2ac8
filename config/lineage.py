"""Every process asks which history its database has: at each new connection, and every few seconds.

What is remembered of rows (players' ids above all) is true of one history only, and is
forgotten with it.
"""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any
from weakref import WeakSet

import structlog
from django.db import DatabaseError, Error, close_old_connections, connection
from django.db.backends.signals import connection_created

from config.data_folder import DataFolder
from events import games, keys, lineage, ratelimit
from events.faults import is_transient, sqlstate
from events.log import partitions
from events.models import Game
from notifications import rulebook
from players import known, origins, tokens

LOOK_S = 5.0
UNDEFINED_TABLE = "42P01"

log = structlog.get_logger(__name__)
_compared: "WeakSet[Any]" = WeakSet()
_lock = threading.Lock()


class _Remembered:
    """What this process has seen last."""

    identity: str | None = None
    token: str | None = None
    looked: float = 0.0


def follow() -> None:
    """Compare at every new connection from now on, before anything else is done with it.

    It is the database's own notice, no flow of the domain's: whatever reconnects after a failover
    must not work with what it remembers of another history.
    """
    connection_created.connect(_connected, dispatch_uid="lineage")


def start(stop: threading.Event, every: Callable[[], None] | None = None) -> None:
    """Look every few seconds too, on a thread: ``manage.py newepoch`` breaks no connection."""
    threading.Thread(target=_watch, args=(stop, every), name="lineage", daemon=True).start()


def look_now_and_then(clock: Callable[[], float] = monotonic) -> None:
    """Look if that was not done for some seconds; called before each task.

    A worker's children have no thread for it, and keep their connections. While the database is
    away it is the task that says so.
    """
    if clock() - _Remembered.looked < LOOK_S:
        return
    try:
        _look()
    except Error as error:
        if not is_transient(error):
            raise
    else:
        _Remembered.looked = clock()


def compare() -> None:
    """Ask what the database is, renew epochs if it is another one, forget what is no more.

    Raises:
        django.db.Error: the database is away.
    """
    now = lineage.identity()
    if now and now == _Remembered.identity:
        return
    try:
        found = lineage.settle(now) if now else lineage.token()
    except DatabaseError as error:
        if sqlstate(error) == UNDEFINED_TABLE:
            return  # it is not migrated yet
        raise
    _take(found)
    _Remembered.identity = now  # last: who finds it may go on at once


def forget_everything() -> None:
    """Forget whatever this process remembers of rows."""
    for remembering in (games, keys, ratelimit, partitions, rulebook, known, origins, tokens):
        remembering.forget()


def resume(folder: DataFolder) -> None:
    """Embedded, at start: renew epochs if the database is older than the folder says, or another file."""
    here, there = lineage.ticks(), folder.ticks()
    if here is not None and (there is None or there > here or folder.moved()):
        reason = f"the database file was restored: it is at tick {here}, the data folder is at {there}"
        lineage.renew(Game.objects.all(), "", reason)
    tick(folder)


def tick(folder: DataFolder) -> None:
    """Count on in the database first, then beside it: so the folder is never ahead of what it belongs to."""
    folder.record_ticks(lineage.tick())


def _take(found: str) -> None:
    with _lock:
        if _Remembered.token is not None and found != _Remembered.token:
            log.warning("lineage.changed")
            forget_everything()
        _Remembered.token = found


def _connected(connection: Any, **_: Any) -> None:
    """Compare once for each connection, not each time that a pool hands it out."""
    made = connection.connection
    if connection.vendor != "postgresql" or made in _compared:
        return
    _compared.add(made)
    try:
        compare()
    except BaseException:
        connection.close()  # nobody works with what was not compared
        raise


def _look() -> None:
    compare()  # a standby that is promoted keeps its connections
    _take(lineage.token())


def _watch(stop: threading.Event, every: Callable[[], None] | None) -> None:
    while not stop.wait(LOOK_S):
        try:
            close_old_connections()
            _look()
            if every:
                every()
        except Exception as error:
            if not is_transient(error):
                log.exception("lineage.failed")
        finally:
            close_old_connections()
    connection.close()
