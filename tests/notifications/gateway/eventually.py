"""Waiting for what comes about by itself, and holding up what would; both with a bound."""

import threading
import time
from collections.abc import Callable

PATIENCE_S = 20.0


def eventually(reached: Callable[[], object]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < end, "it did not come about"
        time.sleep(0.01)


class Gate:
    """Holds the first thread that comes to it until the test lets it go; others may pass."""

    def __init__(self) -> None:
        self._reached, self._go = threading.Event(), threading.Event()

    def passes(self) -> None:
        """Wait here, on the thread that is held."""
        if not self._reached.is_set():
            self._reached.set()
            assert self._go.wait(PATIENCE_S)

    def has_been_reached(self) -> None:
        """Wait, in the test, until a thread is held."""
        assert self._reached.wait(PATIENCE_S)

    def opens(self) -> None:
        """Let it go."""
        self._go.set()
