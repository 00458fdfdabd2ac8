"""A wake-up after commit: there is something to send. It may be lost without harm.

On services it is a task for the workers of the queue ``deliveries``; where this process has a
postman of its own (embedded), he is woken. Sending happens on a thread of its own, so a broker
that is away costs the caller nothing; what nobody was told of is found by beat and by age.
"""

import os
import threading
import time

import structlog
from celery import current_app

QUEUE = "deliveries"
TASK = "notifications.deliver"
DEBOUNCE_S = 0.05
PAUSE_AFTER_FAILURE_S = 1.0
EXPIRES_S = 60.0
"""A hint that nobody has taken for so long is dropped: who is busy with deliveries looks for more by himself."""

log = structlog.get_logger(__name__)
_here: list[threading.Event] = []


def hint() -> None:
    """Say that something is due. Returns at once and never fails."""
    if not wake_here():
        _sender.wake()


def wake_here() -> bool:
    """Wake this process's own postman; False when it has none."""
    for event in _here:
        event.set()
    return bool(_here)


def listen(event: threading.Event) -> None:
    """Let hints of this process set an event, instead of going to the broker."""
    _here[:] = [event]


class _Sender:
    """A thread that sends one task for however many hints came meanwhile."""

    def __init__(self) -> None:
        self._reset()
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        self._wanted.set()
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="delivery-hints", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                current_app.send_task(TASK, queue=QUEUE, retry=False, ignore_result=True, expires=EXPIRES_S)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next hint must still be sent
                log.warning("delivery.hint_failed", error=type(error).__name__)
                time.sleep(PAUSE_AFTER_FAILURE_S)
            time.sleep(DEBOUNCE_S)


_sender = _Sender()
