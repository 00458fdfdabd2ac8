"""A channel that keeps what it is given. For tests, and for rules about what every channel must do."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from notifications.delivery.channel import Channel, Letter


class MemoryChannel(Channel):
    """Keeps letters; ``faults`` (a function, called first) may raise whatever a channel may meet."""

    name = "memory"
    about = "kept in the process, for tests"

    def __init__(self, faults: Callable[[Letter], None] = lambda _letter: None) -> None:
        """Nothing is there yet, and every game is set up."""
        self.faults = faults
        self.letters: list[Letter] = []
        self.off: set[int] = set()  # games
        self._lock = threading.Lock()

    def route(self, game_id: int) -> Mapping[str, Any] | None:
        """Go to memory."""
        return None if game_id in self.off else {"game": game_id}

    def send(self, letter: Letter, route: Mapping[str, Any]) -> None:
        """Fail as told, or keep it."""
        self.faults(letter)
        with self._lock:
            self.letters.append(letter)
