"""A Celery worker and beat on threads of this process."""

import threading
from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery
from celery.beat import Service
from celery.worker import state
from django.db import connection
from django_celery_beat.schedulers import DatabaseScheduler

from events.hubs.watchdog import watchdog

RESTART_S = 1.0
log = structlog.get_logger(__name__)


class EmbeddedWorker:
    """One worker for all queues, which is the one hub executor; beat beside it.

    Of ``deliveries`` it takes only wake-ups: the postman's thread does the sending.
    """

    def __init__(self, app: Celery) -> None:
        """Nothing runs before ``start``."""
        self._app = app
        self._beat: Service | None = None
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Start both threads."""
        for name, work in (("celery-worker", self._work), ("celery-beat", self._tick)):
            self._start(name, work)

    def tell(self) -> None:
        """Have both begin nothing more."""
        self._stop.set()
        vars(state)["should_stop"] = 0  # the exit code; celery's worker looks at it in each round
        if self._beat is not None:
            self._beat.stop(wait=False)

    def stop(self, timeout_s: float) -> None:
        """End both; what a task had begun is finished by whoever finds it, if it takes longer."""
        self.tell()
        for thread in self._threads:
            thread.join(timeout_s / len(self._threads))

    def _start(self, name: str, work: Callable[[], None]) -> None:
        thread = threading.Thread(target=self._supervised, args=(name, work), name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _supervised(self, name: str, work: Callable[[], None]) -> None:
        """Start work again when it fails: a busy database must not end the sweeps for good.

        If a projection hangs on this thread, another goes on in its place.
        """
        with watchdog.followed(by=lambda: self._start(name, work)):
            while not self._stop.is_set():
                try:
                    work()
                except Exception:
                    log.exception("embedded.restarts", thread=name)
                finally:
                    connection.close()
                self._stop.wait(RESTART_S)

    def _work(self) -> None:
        worker: Any = self._app.WorkController(
            app=self._app,
            pool="solo",
            hostname="embedded",
            queues=["urgent", "default", "deliveries"],
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
            loglevel="WARNING",
            quiet=True,
        )
        worker.start()

    def _tick(self) -> None:
        self._beat = Service(self._app, scheduler_cls=DatabaseScheduler, max_interval=1)
        self._beat.start(embedded_process=False)
