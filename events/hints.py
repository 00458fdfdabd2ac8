"""Hints after commit: one Celery task per (hub, lane), without payload, debounced in the process.

A hint may be lost or repeated without harm: the log is the truth, lanes are drained by
age (``events.hubs.ageing``), and a run that finds nothing ends. So a broker that is down
costs the caller nothing: sending happens on a thread of its own, and while the broker is
known to be away, or blocked, nothing is sent at all.
"""

import os
import threading
import time
from collections.abc import Collection, Iterable

import structlog
from amqp.exceptions import AMQPError
from celery import current_app
from kombu.exceptions import KombuError, OperationalError
from prometheus_client import Counter
from redis.exceptions import RedisError

from events import breakers
from events.lanes import Lane

DEBOUNCE_S = 0.002
"""Hints for the same (hub, lane) within this time are one."""
PAUSE_AFTER_SURPRISE_S = 1.0
FAULTS = (OSError, KombuError, AMQPError, RedisError)
"""What a broker that is away raises; the last is of a Redis that is one."""

listeners: dict[str, Collection[int]] = {}
"""Names of the hubs that want to be woken, each with its lanes."""

log = structlog.get_logger(__name__)
sent = Counter("clarion_hints_sent_total", "Wake-ups sent to the broker.", ["lane"])
failed = Counter(
    "clarion_hints_failed_total", "Wake-ups that the broker did not take; lanes are drained by age."
)


class BrokerAway(OperationalError):
    """Nothing was tried: the broker is known to be away. Lanes are drained by age."""

    def __init__(self) -> None:
        super().__init__("the broker is away; lanes are drained by age meanwhile")


def queue_for(lane: int) -> str:
    """Return the Celery queue of a lane: urgent has its own workers."""
    return "urgent" if lane == Lane.URGENT else "default"


def hint(lanes: Iterable[int]) -> None:
    """Say that these lanes have new events. Returns at once and never fails."""
    _sender.add((hub, int(lane)) for lane in lanes for hub, followed in listeners.items() if lane in followed)


def wake(hub: str, lane: int) -> None:
    """Send one wake-up now, on the caller's thread.

    Raises:
        BrokerAway: the broker is known to be away; that took no time.
        OSError, KombuError, AMQPError, RedisError: it is found to be away now.
    """
    ticket = breakers.BROKER.admit()
    if ticket is None:
        failed.inc()
        raise BrokerAway
    try:
        current_app.send_task(
            "events.run_hub", args=(hub, lane), queue=queue_for(lane), retry=False, ignore_result=True
        )
    except FAULTS as error:
        failed.inc()
        breakers.BROKER.failed(ticket, error)
        raise
    breakers.BROKER.succeeded(ticket)
    sent.labels(Lane(lane).label).inc()


class _Sender:
    """A thread that sends what is pending, at most once per (hub, lane) and debounce time."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._pending: set[tuple[str, int]] = set()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def add(self, wanted: Iterable[tuple[str, int]]) -> None:
        with self._changed:
            self._pending.update(wanted)
            if not self._pending:
                return
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="hints", daemon=True)
                self._thread.start()
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending)
                batch, self._pending = sorted(self._pending, key=lambda item: item[1]), set()
            self._send(batch)
            time.sleep(DEBOUNCE_S)

    @staticmethod
    def _send(batch: list[tuple[str, int]]) -> None:
        for hub, lane in batch:
            try:
                wake(hub, lane)
            except FAULTS:
                return  # the rest is found by age
            except Exception:  # whatever it is, the next hint must still be sent
                log.exception("hint.broken", hub=hub, lane=Lane(lane).label)
                time.sleep(PAUSE_AFTER_SURPRISE_S)
                return


_sender = _Sender()
