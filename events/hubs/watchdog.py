"""The watchdog: ends a projection that hangs while it hangs, tells where, and lets others at the work.

A thread of each process that works looks at what runs. What its own code has kept for too
long is judged: its connection is cut (that frees its rows), its try is settled with the
place where it stood, and whoever ran it is given up. A worker's child is ended, and its
parent starts another; a thread is ended by an exception if it still runs Python, and
followed by a new one if not even that reaches it.
"""

import ctypes
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

import structlog
from django.db import connection

LOOK_S = 0.5
INSIDE = ("events.hubs.run", "events.hubs.letters.drain")
"""What lies within these is the projection's own code."""

log = structlog.get_logger(__name__)


class Watched(Protocol):
    """A try that is under way on some thread."""

    thread: int

    def hangs(self) -> bool:
        """Tell whether it hangs now."""

    def judge(self, stack: traceback.StackSummary) -> None:
        """Cut its connection and settle its try; called once, on the watchdog's thread."""


class Watchdog:
    """Looks at what runs in this process. Started by the first who runs something; a forked child starts its own."""

    def __init__(self) -> None:
        """Watch nothing yet."""
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def end_process_on_hang(self) -> None:
        """Let a hang end this process: somebody starts another, as a prefork worker does for its children."""
        self._expendable = True

    @contextmanager
    def watching(self, watched: Watched) -> Iterator[None]:
        """Look at this one while inside."""
        self._start()
        self._running[id(watched)] = watched
        try:
            yield
        finally:
            self._running.pop(id(watched), None)

    @contextmanager
    def followed(self, by: Callable[[], object]) -> Iterator[None]:
        """Call ``by`` when this thread is given up; it starts the thread that goes on in its place."""
        me = threading.get_ident()
        self._successors[me] = by
        try:
            yield
        finally:
            self._successors.pop(me, None)

    def look(self) -> None:
        """Judge what hangs."""
        for watched in list(self._running.values()):
            if watched.hangs() and self._running.pop(id(watched), None) is not None:
                self._end(watched)

    def _end(self, watched: Watched) -> None:
        stack = places(sys._current_frames().get(watched.thread))
        try:
            watched.judge(stack)
        except Exception:
            log.exception("watchdog.judging_failed")
        finally:
            connection.close()
        if self._expendable:
            os.kill(os.getpid(), signal.SIGKILL)
        successor = self._successors.pop(watched.thread, None)
        if successor is not None:
            successor()
            _raise_in(watched.thread, SystemExit)  # which ends a thread without a word

    def _reset(self) -> None:
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._running: dict[int, Watched] = {}
        self._successors: dict[int, Callable[[], object]] = {}
        self._expendable = False

    def _start(self) -> None:
        if self._thread is not None:
            return
        with self._mutex:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(LOOK_S)
            self.look()


def _raise_in(thread: int, error: type[BaseException]) -> None:
    """Raise an error in a thread as soon as it runs Python again."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))


def places(frame: FrameType | None) -> traceback.StackSummary:
    """Return where a thread stands, from the projection's own code inwards; places, never values."""
    frames: list[tuple[FrameType, int]] = []
    while frame is not None and frame.f_globals.get("__name__") not in INSIDE:
        frames.append((frame, frame.f_lineno))
        frame = frame.f_back
    return traceback.StackSummary.extract(iter(reversed(frames)))


watchdog = Watchdog()
