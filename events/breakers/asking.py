"""Asking what may never answer: on a thread that may be lost to it."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout

LOST_MAX = 100
"""So many questions may hang at the same time, of which each is one outage or ten seconds of one."""


class Unanswered(Exception):
    """It neither answered nor failed in time."""


class Asker:
    """Asks one dependency in bounded time, whatever its client library does. Safe for threads."""

    def __init__(self, name: str, patience_s: float) -> None:
        """``name`` is for the threads; nobody waits for longer than ``patience_s`` seconds."""
        self._name, self._patience_s = name, patience_s
        self._free = threading.BoundedSemaphore(LOST_MAX)

    def ask(self, check: Callable[[], None]) -> None:
        """Call ``check`` and wait for it; raise what it raises.

        Raises:
            Unanswered: there was no answer in time. Its thread is left to wait by itself.
        """
        if not self._free.acquire(blocking=False):
            raise Unanswered(f"{LOST_MAX} questions hang already")
        asked: Future[None] = Future()
        thread = threading.Thread(target=self._answer, args=(asked, check), name=self._name, daemon=True)
        thread.start()
        try:
            asked.result(self._patience_s)
        except FutureTimeout:
            if asked.done():
                raise  # its own time-out, not ours
            raise Unanswered(f"no answer within {self._patience_s:.0f} s") from None

    def _answer(self, asked: "Future[None]", check: Callable[[], None]) -> None:
        try:
            check()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            asked.set_exception(error)
        else:
            asked.set_result(None)
        finally:
            self._free.release()
