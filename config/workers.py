"""How a Celery worker ends: the batch that it has is finished, no other is begun, and a hang holds nothing up.

A worker waits for the tasks of its pool for as long as they take, which for a projection that
hangs is for ever. So its children are told with it, by ``STOPPING``; and what is not done in
time is ended by force. The database undoes it, and whoever finds the work next does it.
"""

import os
import signal
import threading
from contextlib import suppress
from types import FrameType
from typing import Any

import structlog
from billiard import active_children

from config.leaving import Deadline, Told, leave
from events.hubs import patience
from events.hubs.watchdog import watchdog
from events.stopping import STOPPING

FINISH_S = 20.0
"""So long after the signal a task may last. A batch takes some 25 ms, a delivery up to 15 s."""
LEAVE_S = 28.0
BESIDE_S = 2.0

log = structlog.get_logger(__name__)
_told = Told()


def told() -> None:
    """Begin nothing more; end within 30 s. Called again: end at once."""
    STOPPING.set()
    if _told.again():
        _end_children()
        os._exit(128 + signal.SIGTERM)
    if not _ends.is_alive():
        _ends.start()
        Deadline(LEAVE_S).begin()


def child_begins() -> None:
    """Let a child that is sent SIGTERM too, as process managers do with whole groups, finish what it has.

    Since it is replaced when it ends, a hang may end it, and it goes first at what has ended others.
    """
    patience.take_on(patience.PROMPT)
    watchdog.end_process_on_hang()
    usual = signal.getsignal(signal.SIGTERM)
    mine = Told()

    def take(number: int, _frame: FrameType | None) -> None:
        STOPPING.set()
        if mine.again():
            signal.signal(number, usual)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGTERM, take)


def beat_begins() -> None:
    """Let beat end when it is told to: Celery raises SystemExit wherever it is just then, where it may be swallowed."""
    usual: Any = signal.getsignal(signal.SIGTERM)

    def take(number: int, frame: FrameType | None) -> None:
        Deadline(LEAVE_S).begin()
        with suppress(SystemExit):
            usual(number, frame)  # it keeps what it knows of its schedules
        leave(0)

    signal.signal(signal.SIGTERM, take)


def _end_children() -> None:
    for pid in (child.pid for child in active_children() if child.pid):
        log.warning("worker.cut", child=pid)
        os.kill(pid, signal.SIGKILL)


_ends = threading.Timer(FINISH_S, _end_children)
_ends.daemon = True
