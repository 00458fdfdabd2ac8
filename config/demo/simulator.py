"""A simulated game: a few events a second while somebody looks."""

import random
import threading
import time

import httpx
import structlog
from django.conf import settings
from django.db import Error, connection

from config.demo.catalogue import PLAYERS
from config.demo.game_server import GameServer
from config.demo.happenings import something
from config.demo.install import SLUG
from players.models import Player
from players.presence import present

EVENTS_MAX = 50_000
NOBODY_LOOKS_S = 600.0
PAUSE_S = (0.2, 0.9)
CHECK_S = 10.0

log = structlog.get_logger(__name__)


class Simulator:
    """Sends what happens in the demo game, on a thread of its own.

    Rests while nobody has looked for ten minutes, ends after 50,000 events.
    """

    def __init__(self, url: str) -> None:
        """Start nothing yet."""
        self._url = url
        self._stop = threading.Event()
        self._dice = random.Random()  # noqa: S311 - a game
        self._looked = time.monotonic()
        self._checked = 0.0

    def start(self) -> None:
        """Start the thread."""
        threading.Thread(target=self._run, name="demo-game-server", daemon=True).start()

    def stop(self) -> None:
        """Send nothing more."""
        self._stop.set()

    def _run(self) -> None:
        server = GameServer(self._url, settings.CLARION_DEMO_KEY)
        sent, introduced = 0, False
        while sent < EVENTS_MAX and not self._stop.wait(self._dice.uniform(*PAUSE_S)):
            try:
                if not introduced:
                    server.introduce()
                    introduced = True
                if self._somebody_looks():
                    server.send(something(self._dice))
                    sent += 1
            except (httpx.HTTPError, Error) as error:
                log.info("demo.waits", error=type(error).__name__)
                self._stop.wait(2)
        server.close()
        connection.close()

    def _somebody_looks(self) -> bool:
        now = time.monotonic()
        if now - self._checked >= CHECK_S:
            self._checked = now
            ids = Player.objects.filter(game__slug=SLUG, key__in=[each.key for each in PLAYERS])
            if present(ids.values_list("id", flat=True)):
                self._looked = now
        return now - self._looked < NOBODY_LOOKS_S
