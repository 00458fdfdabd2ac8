"""Looking after the dependencies of a web process: an outage is seen even while nobody asks for anything.

A request finds out that a server refuses connections; that one is frozen shows only in an
answer that does not come. So each is asked now and then, on a thread that may be lost to it.
"""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from django.conf import settings

from events import stopping
from events.breakers import BROKER, DATABASE, REDIS, Breaker, probes
from events.breakers.asking import Asker, Unanswered

PATIENCE_S = 2.0
BROKER_PATIENCE_S = 5.0
"""Its probe opens a connection, which takes longer."""

log = structlog.get_logger(__name__)


class DatabaseCheck:
    """One statement a second, on a connection that is not the pool's."""

    def __init__(self) -> None:
        """Connect when first called."""
        self._connection: Any = None

    def __call__(self) -> None:
        """Ask; raise while the database is away."""
        try:
            if self._connection is None:
                self._connection = probes.new_database_connection()
            self._connection.execute("SELECT 1")
        except Exception:
            self._connection = None
            raise


class Vigil:
    """Asks one dependency for as long as the process lives, and trips its breaker."""

    def __init__(
        self, breaker: Breaker, new_check: Callable[[], Callable[[], None]], every_s: float, patience_s: float
    ) -> None:
        """``new_check`` makes what is called again and again; anew after an answer that did not come."""
        self._breaker, self._new_check, self._every_s = breaker, new_check, every_s
        self._asker = Asker(f"vigil-{breaker.name}-ask", patience_s)
        self._check = new_check()

    def run(self, stop: threading.Event) -> None:
        """Ask until told to stop."""
        while not stop.wait(self._every_s):
            if self._breaker.is_closed:
                self.look()

    def look(self) -> None:
        """Ask once; whoever does not answer in time is away, and keeps the thread that waits for it."""
        try:
            self._asker.ask(self._check)
        except Unanswered as error:
            self._check = self._new_check()
            self._breaker.trip(str(error))
        except Exception as error:  # noqa: BLE001 - whatever it raises, the dependency is away
            self._breaker.trip(type(error).__name__)


def start() -> list[threading.Thread]:
    """Look after everything that this deployment has; called once by each web process."""
    vigils = [
        Vigil(DATABASE, DatabaseCheck, 1.0, PATIENCE_S),
        Vigil(BROKER, lambda: probes.broker, 5.0, BROKER_PATIENCE_S),
    ]
    if settings.REDIS_URL:
        vigils.append(Vigil(REDIS, lambda: probes.redis, 1.0, PATIENCE_S))
    threads = [
        threading.Thread(target=each.run, args=(stopping.STOPPING,), name="vigil", daemon=True)
        for each in vigils
    ]
    for thread in threads:
        thread.start()
    return threads
