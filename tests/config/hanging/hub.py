"""A hub that writes a row for each event; while it is switched on, one worker's pool hangs on them for ever."""

import threading
import time
from collections.abc import Sequence

from django.conf import settings
from django.db import OperationalError, connection

from events.hubs.projection import AfterCommit, Hub, Prepared, Projection
from events.log.logged import LoggedEvent

FOR_EVER_S = 3_600.0
SEEN = "CREATE TABLE hanging_seen (event_id bigint NOT NULL)"


class Hanging(Projection):
    """Hangs in the pool of the worker that was started to hang; others find that it is not their turn yet."""

    name = "hanging"
    types = ("hanging.",)

    def apply(self, events: Sequence[LoggedEvent], prepared: Prepared) -> AfterCommit | None:
        with connection.cursor() as cursor:
            for event in events:
                cursor.execute("INSERT INTO hanging_seen VALUES (%s)", [event.id])
        return None


def lock(_: frozenset[int]) -> None:
    """Hang where no watchdog looks, while it is switched on."""
    if (settings.HANGING / "on").exists():
        if not settings.HANGS or threading.current_thread() is not threading.main_thread():
            raise OperationalError("it passes by itself")
        (settings.HANGING / "hangs").touch()
        time.sleep(FOR_EVER_S)


HUB = Hub(name="hanging", projections=(Hanging(),), lock=lock)
