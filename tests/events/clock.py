"""Seconds that only tests move."""

import time


class Clock:
    """Stands for the module ``time`` in a module that remembers things for a while."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        """Return the wall clock's time, which time-machine moves."""
        return time.time()
