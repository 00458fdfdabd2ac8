"""Stopping: in order, and within ten seconds whatever hangs."""

import logging
import os
import sys
import threading
from collections.abc import Callable, Sequence

import structlog

DEADLINE_S = 9.0
"""From the signal; the promise is ten seconds."""

log = structlog.get_logger(__name__)


class Deadline:
    """Ends the process when stopping takes too long."""

    def __init__(self, end: Callable[[int], None] = os._exit) -> None:
        """``end`` gets the exit code."""
        self._timer = threading.Timer(DEADLINE_S, end, [1])
        self._timer.daemon = True

    def begin(self) -> None:
        """Count from now."""
        self._timer.start()


def stop_all(steps: Sequence[tuple[str, Callable[[], None]]]) -> None:
    """Take each step; one that fails is logged, and the next is taken."""
    for name, step in steps:
        try:
            step()
        except Exception:
            log.exception("stop.failed", step=name)


def leave(code: int) -> None:
    """End the process at once: threads that wait for a dead client or broker would hold it."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
