"""The watch runs in every long-lived process, on two threads: one looks, one tells.

So it needs neither beat nor broker nor workers to notice that these are not there. Of all
processes one at a time looks; and whoever tells claims what it tells.
"""

import random
import threading
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from django.db import Error, close_old_connections, connection

from config.watch import telling
from config.watch.blind import Blind
from config.watch.looking import EVERY, Look
from events.faults import is_transient

log = structlog.get_logger(__name__)


def start(stop: threading.Event) -> list[threading.Thread]:
    """Start both threads; they end within seconds after ``stop`` is set.

    Called once by every long-lived process: gateways, workers, the embedded server.
    """
    blind, look, teller = Blind(), Look(), telling.Teller()
    threads = [
        threading.Thread(target=_for_ever, args=(name, step, stop), name=name, daemon=True)
        for name, step in (
            ("watch-look", lambda now: look_once(look, blind, now)),
            ("watch-tell", teller.begin),
        )
    ]
    for thread in threads:
        thread.start()
    return threads


def look_once(look: Look, blind: Blind, now: datetime) -> None:
    """Look if it is this process's turn, and know what to do when one cannot look."""
    try:
        blind.remember(now)
        look.take_turn(now)
        blind.back(now)
    except Error as error:
        if not is_transient(error):
            raise
        blind.away(now)


def _for_ever(name: str, step: Callable[[datetime], object], stop: threading.Event) -> None:
    """Go on, whatever a step ends with. No two processes stay in step with each other."""
    while not stop.wait(EVERY.total_seconds() * random.uniform(0.8, 1.2)):  # noqa: S311 - no secret
        try:
            close_old_connections()
            step(datetime.now(UTC))
        except Error as error:
            if not is_transient(error):
                log.exception("watch.failed", thread=name)
        except Exception:
            log.exception("watch.failed", thread=name)
        finally:
            connection.close()  # between two steps it is others' to use
