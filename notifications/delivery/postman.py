"""A thread that sends what is due without being told: the net below hints, beat and workers.

Every Celery worker's first process has one, which looks for what is overdue; the embedded
server has one that does all the sending, and wakes at once.
"""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog
from django.db import Error, close_old_connections, connection

from events.faults import is_transient
from notifications.delivery import hints
from notifications.delivery.claim import due_outlets
from notifications.delivery.turns import work_for

LATE = timedelta(seconds=15)
"""So long overdue is what nobody else seems to send."""
LOOK_S = 5.0
TURN_S = 5.0

log = structlog.get_logger(__name__)


def start_watching(stop: threading.Event) -> threading.Thread:
    """Start a thread that sends what has been due for 15 s; it ends within seconds after ``stop`` is set."""
    return _start(lambda: stop.wait(LOOK_S), lambda: look(LATE))


def start_here(stop: threading.Event) -> threading.Thread:
    """Start a thread that sends everything, at each hint of this process and each second."""
    woken = threading.Event()
    hints.listen(woken)

    def pause() -> bool:
        woken.wait(1.0)
        woken.clear()
        return stop.is_set()

    return _start(pause, lambda: look(timedelta()))


def look(late: timedelta) -> bool:
    """Send for some seconds if something has been due for so long; True if there was."""
    if not due_outlets(datetime.now(UTC) - late):
        return False
    work_for(TURN_S)
    return True


def _start(pause: Callable[[], bool], work: Callable[[], bool]) -> threading.Thread:
    thread = threading.Thread(target=_run, args=(pause, work), name="postman", daemon=True)
    thread.start()
    return thread


def _run(pause: Callable[[], bool], work: Callable[[], bool]) -> None:
    while not pause():
        try:
            close_old_connections()
            work()
        except Error as error:
            if not is_transient(error):
                log.exception("postman.failed")
        except Exception:
            log.exception("postman.failed")
    connection.close()
