"""The time that this process has lived through: while it is frozen, none passes.

A process that was stopped (SIGSTOP, a laptop that slept, a virtual machine that was moved)
finds its transactions ended by the server, as one whose projection hangs does. The wall
clock and the monotonic one cannot tell these apart. A thread that ticks can: it ticks while
another hangs, and not while all of them are frozen.
"""

import os
import threading
import time
from collections.abc import Callable

TICK_S = 0.1
MOST_S = 3 * TICK_S
"""So much at most counts between two ticks: a busy machine is late, a frozen process is absent."""


class LivedClock:
    """Counts seconds by ticks. Started by the first who asks; a forked child starts its own."""

    _state: tuple[float, float]  # seconds lived, and when that was counted

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """``clock`` gives monotonic seconds."""
        self._clock = clock
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def seconds(self) -> float:
        """Return the seconds lived so far. Only differences mean anything."""
        if self._thread is None:
            self._start()
        lived, last = self._state
        return lived + min(self._clock() - last, MOST_S)

    def tick(self) -> None:
        """Count what has passed since the last tick, and not more than a tick may be late."""
        lived, last = self._state
        now = self._clock()
        self._state = (lived + min(now - last, MOST_S), now)

    def _reset(self) -> None:
        self._mutex = threading.Lock()
        self._thread: threading.Thread | None = None
        self._state = (0.0, self._clock())

    def _start(self) -> None:
        with self._mutex:
            if self._thread is None:
                self._state = (self._state[0], self._clock())
                self._thread = threading.Thread(target=self._run, name="lived", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            time.sleep(TICK_S)
            self.tick()


clock = LivedClock()
