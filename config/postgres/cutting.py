"""Who waits for an answer of a database that has gone is told so, instead of waiting until it is back.

A server that is frozen keeps its connections, and its machine goes on confirming what is sent
to it; no time-out of the server's or of the network's ends such a wait. The breaker finds out
within seconds. From then on whatever still waits is cut off, on this side.
"""

import os
import socket
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakSet

import structlog
from psycopg import Error
from psycopg.pq import TransactionStatus

from events.breakers import DATABASE

EVERY_S = 1.0
"""An answer that is only late has so long; who begins to wait during the outage waits no longer."""

log = structlog.get_logger(__name__)
_made: "WeakSet[Any]" = WeakSet()
_lock = threading.Lock()


def remember(made: Any) -> None:
    """Know one of psycopg's connections for as long as it lives."""
    with _lock:
        _made.add(made)


def cut_waiting() -> int:
    """Cut the connections whose statement is under way; return how many. Their statements raise at once."""
    with _lock:
        waiting = [each for each in _made if not each.closed]
    return sum(map(_cut, waiting))


def watch(stop: threading.Event | None = None) -> None:
    """Cut what waits, again and again, for as long as the database is away."""
    pause = stop or threading.Event()
    while not pause.wait(EVERY_S) and not DATABASE.is_closed:
        if cut := cut_waiting():
            log.warning("database.cut", connections=cut)


def start() -> None:
    """Watch on a thread; called when the breaker opens."""
    threading.Thread(target=watch, name="cut-database", daemon=True).start()


def _cut(made: Any) -> bool:
    with suppress(Error, OSError):  # it was closed meanwhile
        if made.pgconn.transaction_status == TransactionStatus.ACTIVE:
            with socket.socket(fileno=os.dup(made.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
            return True
    return False


def _forget() -> None:
    """Leave the parent's connections alone, in a child."""
    global _made, _lock
    _made, _lock = WeakSet(), threading.Lock()


DATABASE.on_open.append(start)
os.register_at_fork(after_in_child=_forget)
