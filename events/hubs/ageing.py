"""Draining by age: the safety net that needs no broker and no worker.

Every Clarion process watches the lanes. Work whose checkpoint has not moved for longer
than its lane's limit is drained by whoever sees it; so a dead broker, a blocked one and
dead workers are one case. One thread per lane: urgent never waits behind bulk.
"""

import threading
import time
from collections.abc import Callable

import structlog
from django.db import Error, close_old_connections, connection

from events.faults import is_transient
from events.hubs import claim as claims
from events.hubs import metrics, sampling
from events.hubs.registry import bulk_work, hubs
from events.hubs.run import run
from events.hubs.watchdog import watchdog
from events.lanes import Lane

LIMIT_S = {Lane.URGENT: 0.2, Lane.NORMAL: 1.0, Lane.BULK: 5.0}
"""For so long a lane may have work without moving."""
LOOK_S = {Lane.URGENT: 0.1, Lane.NORMAL: 0.5, Lane.BULK: 1.0}
"""So often each lane is looked at."""
DRAIN_S = {Lane.URGENT: 0.5, Lane.NORMAL: 0.5, Lane.BULK: 0.3}
"""So long one drain may take before the watch looks at the other hubs again. A gateway has more to do than bulk."""

log = structlog.get_logger(__name__)


class Watch:
    """What one thread remembers of one lane: since when each checkpoint has stood still with work."""

    def __init__(self, lane: Lane, clock: Callable[[], float] = time.monotonic) -> None:
        """Watch a lane; ``clock`` gives monotonic seconds."""
        self.lane = lane
        self._clock = clock
        self._since: dict[tuple[int, int], float] = {}
        self._behind: set[str] = set()
        """Hubs that were late and are not done: they move only because of us, so moving makes them no less late."""

    def overdue(self) -> list[str]:
        """Return the hubs that have work in this lane which has waited beyond the limit."""
        now = self._clock()
        waiting = {(checkpoint, position): hub for hub, checkpoint, position in claims.standing(self.lane)}
        self._since = {key: self._since.get(key, now) for key in waiting}
        late = {waiting[key] for key, since in self._since.items() if now - since >= LIMIT_S[self.lane]}
        return sorted(late | self._behind.intersection(waiting.values()))

    def look(self) -> int:
        """Drain what is overdue and return how many lanes were drained."""
        names = {hub.name for hub in hubs()}
        late = [name for name in self.overdue() if name in names]
        for name in late:
            metrics.drained_by_age.labels(self.lane.label).inc()
            left = run(name, self.lane, DRAIN_S[self.lane], yields=False)
            (self._behind.add if left else self._behind.discard)(name)
        if self.lane is Lane.BULK:
            for work in bulk_work():
                work(DRAIN_S[self.lane])
        return len(late)


def start(stop: threading.Event) -> list[threading.Thread]:
    """Start one watching thread per lane; they end soon after ``stop`` is set.

    Called once by every long-lived process: gateways, workers, the embedded server.
    """
    return [_start(lane, stop) for lane in Lane]


def _start(lane: Lane, stop: threading.Event) -> threading.Thread:
    thread = threading.Thread(target=_watch, args=(lane, stop), name=f"age-{lane.label}", daemon=True)
    thread.start()
    return thread


def _watch(lane: Lane, stop: threading.Event) -> None:
    """Look until it stops; if this thread hangs, another goes on in its place."""
    watch, new_hubs = Watch(lane), lane == Lane.URGENT
    with watchdog.followed(by=lambda: _start(lane, stop)):
        while not stop.wait(LOOK_S[lane]):
            try:
                close_old_connections()
                if new_hubs:
                    _make_checkpoints()
                    new_hubs = False
                watch.look()
                if lane == Lane.NORMAL:
                    sampling.sample()
            except Error as error:
                if not is_transient(error):
                    log.exception("age.failed", lane=lane.label)
            except Exception:
                log.exception("age.failed", lane=lane.label)
    connection.close()


def _make_checkpoints() -> None:
    """Let a hub that is new in this release start at the log's beginning."""
    for hub in hubs():
        claims.make_missing(hub.name, hub.lanes)
