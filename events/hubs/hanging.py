"""Whether a projection hangs: how long its own code took, in time that the process lived through.

Time inside the database does not count (a slow database is nobody's poison, and its
statements have time-outs), nor does time in which the process was frozen. What remains is
the projection's: sleeping, waiting for something that never comes, or computing for ever.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection

from events.faults import is_transient
from events.lived import clock

HANGS_S = 5.0
"""A batch is about 25 ms; whose own code takes this long is stuck, and is tried like poison."""


class Stopwatch:
    """Measures what projections do by themselves, in one try."""

    def __init__(
        self, lived: Callable[[], float] = clock.seconds, cpu: Callable[[], float] = time.thread_time
    ) -> None:
        """Take the clocks: seconds that the process lived, and that this thread computed."""
        self._lived = lived
        self._cpu = cpu
        self._own = 0.0

    @property
    def hung(self) -> bool:
        """Tell whether projections took so long that they hang."""
        return self._own >= HANGS_S

    @contextmanager
    def running(self) -> Iterator[None]:
        """Measure a projection's code.

        Code that computes without letting other threads run keeps the clock from ticking; the
        processor's time of this thread counts then.
        """
        waited = _InDatabase(self._lived)
        lived, cpu = self._lived(), self._cpu()
        try:
            with connection.execute_wrapper(waited):
                yield
        finally:
            self._own += max(self._lived() - lived - waited.seconds, self._cpu() - cpu)


def passes(error: BaseException, watch: Stopwatch) -> bool:
    """Tell whether the same work may succeed later without anybody changing anything.

    What a hang ends in (the server closes a transaction that does nothing, Celery's soft time
    limit, a claim that others took over) would pass in any other case.
    """
    return (is_transient(error) or isinstance(error, SoftTimeLimitExceeded)) and not watch.hung


class _InDatabase:
    """Adds up the time of statements."""

    def __init__(self, lived: Callable[[], float]) -> None:
        self.seconds = 0.0
        self._lived = lived

    def __call__(self, execute: Callable[..., Any], *args: Any) -> Any:
        began = self._lived()
        try:
            return execute(*args)
        finally:
            self.seconds += self._lived() - began
