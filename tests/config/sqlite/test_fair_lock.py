"""The lock itself: first come, first served, and never lost."""

import threading

from config.sqlite.fair_lock import FairLock

PATIENCE_S = 10.0


def nothing_to_undo() -> None:
    """What a holder with no transaction leaves behind."""


class Waiter:
    """Asks for the lock on a thread of its own and says when it has it."""

    def __init__(self, lock: FairLock, order: list[str], name: str) -> None:
        self._lock, self._order, self._name = lock, order, name
        self.may_leave = threading.Event()
        self.has_it = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        if self._lock.acquire(PATIENCE_S, nothing_to_undo):
            self._order.append(self._name)
            self.has_it.set()
            self.may_leave.wait(PATIENCE_S)
            self._lock.release()


def queued(lock: FairLock, count: int) -> None:
    """Wait until so many are in the queue."""
    while len(lock._waiting) < count:
        threading.Event().wait(0.001)


def test_turns_come_in_the_order_of_asking() -> None:
    lock, order = FairLock(), []
    assert lock.acquire(PATIENCE_S, nothing_to_undo)
    waiters = []
    for place, name in enumerate("abcdef", start=1):
        waiters.append(Waiter(lock, order, name))
        queued(lock, place)
    lock.release()
    for waiter in waiters:
        assert waiter.has_it.wait(PATIENCE_S)
        waiter.may_leave.set()
    assert "".join(order) == "abcdef"


def test_a_waiter_is_sent_away_after_its_time_and_leaves_no_gap_in_the_queue() -> None:
    lock, order = FairLock(), []
    assert lock.acquire(PATIENCE_S, nothing_to_undo)
    assert not lock.acquire(0.01, nothing_to_undo)
    patient = Waiter(lock, order, "patient")
    queued(lock, 1)
    lock.release()
    assert patient.has_it.wait(PATIENCE_S)
    patient.may_leave.set()


def test_who_ends_without_letting_go_is_undone_and_loses_the_turn() -> None:
    lock, undone = FairLock(), []
    thread = threading.Thread(
        target=lambda: lock.acquire(PATIENCE_S, lambda: undone.append("its transaction"))
    )
    thread.start()
    thread.join(PATIENCE_S)
    assert lock.acquire(0.01, nothing_to_undo)
    assert undone == ["its transaction"]


def test_an_interrupted_wait_gives_up_its_place(monkeypatch) -> None:
    lock, order = FairLock(), []
    assert lock.acquire(PATIENCE_S, nothing_to_undo)

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("config.sqlite.fair_lock.threading.Event", Interrupted)
        try:
            lock.acquire(PATIENCE_S, nothing_to_undo)
        except KeyboardInterrupt:
            order.append("interrupted")
    lock.release()
    assert lock.acquire(0.01, nothing_to_undo)
    assert order == ["interrupted"]
