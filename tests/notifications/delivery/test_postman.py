"""What no hint has told of is sent all the same: without a broker, without workers, after a fault."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from queue import Queue
from typing import Any

import pytest
from celery import current_app
from django.db import OperationalError

from notifications import tasks
from notifications.delivery import hints, postman
from notifications.models import Delivery
from tests.given import given_game
from tests.notifications.delivery.scene import FOREVER, fresh, given_delivery, given_memory, now

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def postman_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], None]]:
    """Return what starts this process's postman."""
    monkeypatch.setattr(hints, "_here", [])
    stop, threads = threading.Event(), []
    yield lambda: threads.append(postman.start_here(stop))
    stop.set()
    hints.wake_here()
    for thread in threads:
        thread.join(FOREVER)


class Arrivals:
    """What a channel does: it tells that something has come."""

    def __init__(self) -> None:
        self.came = threading.Semaphore(0)

    def __call__(self, _letter: Any) -> None:
        self.came.release()

    def wait(self) -> None:
        assert self.came.acquire(timeout=FOREVER)


def test_what_is_overdue_is_sent_by_whoever_looks_and_what_is_just_due_is_left_to_the_workers() -> None:
    game = given_game()
    given_memory(game)
    row = given_delivery(game)
    assert postman.look(timedelta(hours=1)) is False
    assert fresh(row).tries == 0
    Delivery.objects.update(due_at=now() - postman.LATE - timedelta(seconds=1))
    assert postman.look(postman.LATE) is True
    assert fresh(row).state == "sent"


def test_a_postman_of_this_process_sends_what_a_task_would_wake_a_worker_for(
    postman_here: Callable[[], None],
) -> None:
    game = given_game()
    arrivals = Arrivals()
    given_memory(game, faults=arrivals)
    postman_here()
    given_delivery(game)
    tasks.deliver()
    arrivals.wait()


def test_a_fault_does_not_end_the_postman(
    postman_here: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    game = given_game()
    arrivals, faults = Arrivals(), [ValueError("a surprise"), OperationalError("the database is away")]
    given_memory(game, faults=arrivals)
    works = postman.work_for

    def work_for(seconds: float) -> bool:
        if faults:
            raise faults.pop()
        return works(seconds)

    monkeypatch.setattr(postman, "work_for", work_for)
    given_delivery(game)
    postman_here()
    arrivals.wait()
    assert faults == []


def test_without_a_broker_a_hint_costs_nothing_and_the_next_one_is_sent_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: Queue[dict[str, Any]] = Queue()

    def send_task(name: str, **options: Any) -> None:
        sent.put({"name": name, **options})
        if sent.qsize() == 1:
            raise OSError("nobody takes connections")

    monkeypatch.setattr(current_app._get_current_object(), "send_task", send_task)
    monkeypatch.setattr(hints, "PAUSE_AFTER_FAILURE_S", 0.0)
    sender = hints._Sender()
    sender.wake()
    while sent.qsize() < 2:
        sender.wake()
    assert {sent.get()["queue"] for _ in range(2)} == {"deliveries"}
