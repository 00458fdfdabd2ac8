"""Leaving: in order, in time whatever hangs, and at once when told a second time."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from time import monotonic
from typing import Any

import structlog

SAME_S = 0.5
"""A terminal and a process manager both pass one Ctrl-C on: what comes so soon is the same word."""

log = structlog.get_logger(__name__)
_beside: list[threading.Thread] = []


class Deadline:
    """Ends the process when leaving takes too long."""

    def __init__(self, seconds: float, end: Callable[[int], None] = os._exit) -> None:
        """Count so many seconds; ``end`` gets the exit code."""
        self._timer = threading.Timer(seconds, end, [1])
        self._timer.daemon = True

    def begin(self) -> None:
        """Count from now."""
        self._timer.start()


class Told:
    """Who is told to end once more, and means it, wants it at once."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        """Nobody has said anything yet."""
        self._clock = clock
        self._first: float | None = None

    def again(self) -> bool:
        """Take a word; tell whether it is a second one."""
        now = self._clock()
        if self._first is None:
            self._first = now
        return now - self._first >= SAME_S


def at_once_when_told_again(end: Callable[[int], None] = os._exit) -> None:
    """From now on another SIGINT or SIGTERM ends the process, with the shell's exit code for it.

    Called on the main thread, when the first signal has come.
    """
    told = Told()
    told.again()

    def take(number: int, _frame: Any) -> None:
        if told.again():
            end(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, take)


def beside(threads: Iterable[threading.Thread]) -> None:
    """Name threads that work beside the main one, end when ``STOPPING`` is set, and are to finish first."""
    _beside.extend(threads)


def join_beside(seconds: float) -> None:
    """Wait so long at most for all of them: what one had in hand, others repeat."""
    end = monotonic() + seconds
    for thread in _beside:
        thread.join(max(0.0, end - monotonic()))
    if late := [thread.name for thread in _beside if thread.is_alive()]:
        log.warning("stop.unfinished", threads=late)


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
