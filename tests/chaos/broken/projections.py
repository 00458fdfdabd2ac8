"""A hub whose projection fails on some events: it raises, it hangs, it kills its process."""

import os
import signal
import time
from collections.abc import Sequence

from django.db import connection

from events.hubs.projection import AfterCommit, Hub, Prepared, Projection
from events.log.logged import LoggedEvent

NAME = "poisoned"
SEEN = "CREATE TABLE chaos_seen (event_id bigint NOT NULL)"
"""What the projection writes: one row for each event that it is given, in the hub's transaction."""
HANG_S = 3_600.0


class Poisoned(Projection):
    """Fails on events whose id begins with ``poison-``, as their id says."""

    name = "poisoned"

    def apply(self, events: Sequence[LoggedEvent], prepared: Prepared) -> AfterCommit | None:
        """Write down each event, or fail at it."""
        with connection.cursor() as cursor:
            for event in events:
                cursor.execute("INSERT INTO chaos_seen VALUES (%s)", [event.id])
                if event.event_id.startswith("poison-raise"):
                    raise ValueError("poison")
                if event.event_id.startswith("poison-hang"):
                    time.sleep(HANG_S)
                if event.event_id.startswith("poison-kill"):
                    os.kill(os.getpid(), signal.SIGKILL)
        return None


HUB = Hub(name=NAME, projections=(Poisoned(),))
