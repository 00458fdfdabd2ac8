"""The worker and beat inside the server: they are started again when they fail, and end when told."""

import threading
from typing import Any

import pytest

from config.embedded import worker as embedded
from config.embedded.worker import EmbeddedWorker

PATIENCE_S = 10


class Celery:
    """Stands for the Celery app; its worker fails so many times, then works until it is told to stop."""

    def __init__(self, failures: int) -> None:
        """Count the starts."""
        self.failures = failures
        self.starts: list[dict[str, Any]] = []
        self.works = threading.Event()
        self.told = threading.Event()

    def WorkController(self, **options: Any) -> "Celery":  # noqa: N802 - Celery's name
        """Take a worker's options."""
        self.starts.append(options)
        return self

    def start(self) -> None:
        """Fail, or work."""
        if len(self.starts) <= self.failures:
            raise OSError("database is locked")
        self.works.set()
        self.told.wait(PATIENCE_S)


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start again at once, and leave beat out."""
    monkeypatch.setattr(embedded, "RESTART_S", 0.001)
    monkeypatch.setattr(EmbeddedWorker, "_tick", lambda self: self._stop.wait(PATIENCE_S))


def test_a_worker_that_fails_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    celery = Celery(failures=3)
    worker = EmbeddedWorker(celery)  # type: ignore[arg-type]
    worker.start()
    assert celery.works.wait(PATIENCE_S)
    assert len(celery.starts) == 4
    monkeypatch.setitem(vars(embedded.state), "should_stop", None)
    celery.told.set()
    worker.stop(timeout_s=PATIENCE_S)
    assert not any(thread.is_alive() for thread in worker._threads)


def test_it_takes_all_queues_and_one_task_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    celery = Celery(failures=0)
    worker = EmbeddedWorker(celery)  # type: ignore[arg-type]
    worker.start()
    assert celery.works.wait(PATIENCE_S)
    options = celery.starts[0]
    assert (options["queues"], options["pool"]) == (["urgent", "default", "deliveries"], "solo")
    monkeypatch.setitem(vars(embedded.state), "should_stop", None)
    celery.told.set()
    worker.stop(timeout_s=PATIENCE_S)


def test_a_stop_does_not_wait_for_ever_for_a_task_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    celery = Celery(failures=0)
    worker = EmbeddedWorker(celery)  # type: ignore[arg-type]
    worker.start()
    assert celery.works.wait(PATIENCE_S)
    monkeypatch.setitem(vars(embedded.state), "should_stop", None)
    worker.stop(timeout_s=0.1)
    assert any(thread.is_alive() for thread in worker._threads)  # daemons: they end with the process
    celery.told.set()
