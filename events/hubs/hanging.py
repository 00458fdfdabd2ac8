"""Whether a projection hangs: how long its own code took, in time that the process lived through.

Time inside the database does not count (a slow database is nobody's poison, and its
statements have time-outs), nor does time in which the process was frozen. What remains is
the projection's: sleeping, waiting for something that never comes, or computing for ever.
The watchdog ends it while it lasts; what comes to an end by itself is judged afterwards.
"""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.db import DEFAULT_DB_ALIAS, connection, connections

from events.faults import is_transient
from events.hubs.watchdog import watchdog
from events.lived import clock

HANGS_S = 5.0
"""A batch is about 25 ms; whose own code takes this long is stuck, and is tried like poison."""


class Stopwatch:
    """Measures what projections do by themselves, in one try."""

    def __init__(
        self,
        lived: Callable[[], float] | None = None,
        cpu: Callable[[], float] = time.thread_time,
        on_hang: Callable[[traceback.StackSummary], None] | None = None,
    ) -> None:
        """Take the clocks: seconds that the process lived, and that this thread computed.

        ``on_hang`` settles the try, from the watchdog's thread, with the places where it hangs.
        """
        self.thread = threading.get_ident()
        self.settled = False
        """Whether the watchdog has settled the try already."""
        self.on_hang = on_hang
        self._lived = lived or clock.seconds
        self._cpu = cpu
        self._own = 0.0
        self._now: _InDatabase | None = None
        self._connection = connections[DEFAULT_DB_ALIAS]  # the thread's own: the watchdog's is another

    @property
    def hung(self) -> bool:
        """Tell whether projections took so long that they hang."""
        return self.settled or self._own >= HANGS_S

    def hangs(self) -> bool:
        """Tell whether a projection hangs at this moment: not while it waits for the database."""
        now = self._now
        return now is not None and not now.inside and self._own + now.own_s() >= HANGS_S

    def judge(self, stack: traceback.StackSummary) -> None:
        """Settle the try and free its rows; the thread finds its connection cut when it comes back."""
        self.settled = True
        cut = getattr(self._connection, "cut", None)
        if cut is not None:
            cut()
        if self.on_hang is not None:
            self.on_hang(stack)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure a projection's code.

        Code that computes without letting other threads run keeps the clock from ticking; the
        processor's time of this thread counts then.
        """
        self._now = now = _InDatabase(self._lived)
        cpu = self._cpu()
        try:
            with connection.execute_wrapper(now), watchdog.watching(self):
                yield
        finally:
            self._now = None
            self._own += max(now.own_s(), self._cpu() - cpu)


def passes(error: BaseException, watch: Stopwatch) -> bool:
    """Tell whether the same work may succeed later without anybody changing anything.

    What a hang ends in (the server closes a transaction that does nothing, Celery's soft time
    limit, a claim that others took over) would pass in any other case.
    """
    return (is_transient(error) or isinstance(error, SoftTimeLimitExceeded)) and not watch.hung


class _InDatabase:
    """Tells the time of statements from the rest."""

    def __init__(self, lived: Callable[[], float]) -> None:
        self.inside = False
        self._seconds = 0.0
        self._lived = lived
        self._began = lived()

    def own_s(self) -> float:
        """Return the seconds since it began that no statement took."""
        return self._lived() - self._began - self._seconds

    def __call__(self, execute: Callable[..., Any], *args: Any) -> Any:
        began = self._lived()
        self.inside = True
        try:
            return execute(*args)
        finally:
            self._seconds += self._lived() - began
            self.inside = False
