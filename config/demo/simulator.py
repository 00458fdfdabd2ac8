"""A simulated game: a few events a second while somebody looks."""

import random
import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

import httpx
import structlog
from django.db import Error, connection

from config.demo.catalogue import PLAYERS
from config.demo.happenings import something
from config.demo.opening import SLUG
from players.models import Player
from players.presence import present

EVENTS_MAX = 50_000
NOBODY_LOOKS_S = 600.0
PAUSE_S = (0.2, 0.9)
CHECK_S = 10.0
"""So often it is asked whether somebody looks."""
RETRY_S = 2.0
REFUSED = frozenset({401, 403})
"""The key is revoked, or the game is gone; no later event would fare better."""

log = structlog.get_logger(__name__)


class Sender(Protocol):
    """Where a simulator's events go."""

    def send(self, event: dict[str, Any]) -> object:
        """Post one event; raises httpx.HTTPError."""

    def close(self) -> None:
        """Send no more."""


def somebody_looks() -> bool:
    """Tell whether one of the demo's players is connected."""
    ids = Player.objects.filter(game__slug=SLUG, key__in=[player.key for player in PLAYERS])
    return bool(present(ids.values_list("id", flat=True)))


class Simulator:
    """Sends what happens in the demo game, on a thread of its own.

    Rests when nobody has looked for ten minutes, until somebody does; ends after 50,000 events.
    """

    def __init__(
        self,
        server: Sender,
        *,
        looked_at: Callable[[], bool] = somebody_looks,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], bool] | None = None,
    ) -> None:
        """Start nothing yet. ``wait`` takes seconds, and returns True when it is time to stop."""
        self._server, self._looked_at, self._clock = server, looked_at, clock
        self._stop = threading.Event()
        self._wait = wait or self._stop.wait
        self._dice = random.Random()  # noqa: S311 - a game
        self._last_look = self._last_check = clock()

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._thread, name="demo-game-server", daemon=True).start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()

    def run(self) -> int:
        """Send until stopped, refused, or all is sent; return how many events it were."""
        sent = 0
        while sent < EVENTS_MAX and not self._wait(self._dice.uniform(*PAUSE_S)):
            try:
                if self._awake():
                    self._server.send(something(self._dice))
                    sent += 1
            except httpx.HTTPStatusError as error:
                if error.response.status_code in REFUSED:
                    break
                self._later(error)
            except (httpx.HTTPError, Error) as error:
                self._later(error)
        return sent

    def _thread(self) -> None:
        sent = self.run()
        log.info("demo.ended", sent=sent)
        self._server.close()
        connection.close()

    def _later(self, error: Exception) -> None:
        log.info("demo.waits", error=type(error).__name__)
        self._wait(RETRY_S)

    def _awake(self) -> bool:
        now = self._clock()
        if now - self._last_check >= CHECK_S:
            self._last_check = now
            if self._looked_at():
                self._last_look = now
        return now - self._last_look < NOBODY_LOOKS_S
