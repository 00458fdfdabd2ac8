"""Circuit breakers: a dead dependency costs nobody its time-out, one probe at a time finds it again."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.breakers import Breaker, Circuit, State

PATIENCE_S = 20


def circuit(**options) -> Circuit:
    return Circuit(jitter=lambda _low, high: high, **options)


def an_open_one(now: float = 0.0) -> Circuit:
    made = circuit()
    ticket = made.admit(now)
    assert ticket
    assert made.failed(ticket, now)
    return made


def test_closed_lets_everything_through_and_a_failure_opens_it() -> None:
    made = circuit()
    tickets = [made.admit(0.0) for _ in range(3)]
    assert all(tickets)
    assert made.failed(tickets[0], 0.0)
    assert made.state is State.OPEN
    assert made.admit(0.1) is None
    assert made.opened == 1


def test_half_open_lets_one_probe_through_at_a_time() -> None:
    made = an_open_one()
    probes = [made.admit(0.25) for _ in range(5)]
    assert [probe is not None for probe in probes] == [True, False, False, False, False]
    assert made.state is State.HALF_OPEN


def test_a_probe_that_succeeds_closes_it_and_one_that_fails_opens_it_for_longer_up_to_a_bound() -> None:
    made, now, waits = an_open_one(), 0.0, []
    for _ in range(6):
        waits.append(made.wait_s(now))
        now += waits[-1]
        probe = made.admit(now)
        assert probe
        made.failed(probe, now)
    assert waits == [0.25, 0.5, 1.0, 2.0, 2.0, 2.0]
    now += 2.0
    probe = made.admit(now)
    assert probe
    assert made.succeeded(probe)
    assert made.state is State.CLOSED
    assert made.admit(now)
    assert made.opened == 1


def test_what_began_before_it_opened_neither_closes_nor_opens_it() -> None:
    made = circuit()
    early, late = made.admit(0.0), made.admit(0.0)
    assert early
    assert late
    made.failed(early, 0.0)
    assert not made.succeeded(late)
    assert made.state is State.OPEN
    probe = made.admit(1.0)
    assert probe
    assert made.succeeded(probe)
    assert not made.failed(late, 1.0)
    assert made.state is State.CLOSED


def test_a_probe_that_never_answers_is_given_up_and_another_is_let_through() -> None:
    made = an_open_one()
    lost = made.admit(1.0)
    assert lost
    assert made.admit(10.9) is None
    another = made.admit(11.0)
    assert another
    assert not made.succeeded(lost)
    assert made.succeeded(another)


@given(st.lists(st.booleans(), max_size=60))
def test_it_is_never_open_for_longer_than_its_bound_and_always_asks_again(answers: list[bool]) -> None:
    made, now = Circuit(), 0.0
    for answer in answers:
        ticket = made.admit(now)
        assert ticket
        if answer:
            made.succeeded(ticket)
        else:
            made.failed(ticket, now)
        assert made.wait_s(now) <= 2.0
        now += made.wait_s(now)


class Dependency:
    """Away until the test says otherwise; counts who asks."""

    def __init__(self) -> None:
        self.there, self.asked = threading.Event(), threading.Semaphore(0)

    def probe(self) -> None:
        self.asked.release()
        if not self.there.is_set():
            raise ConnectionRefusedError


def test_with_a_probe_of_its_own_no_caller_ever_asks_a_dead_dependency() -> None:
    dependency, back = Dependency(), threading.Event()
    breaker = Breaker("test", dependency.probe)
    breaker.on_close.append(back.set)
    breaker.trip("blocked")
    for _ in range(3):
        assert dependency.asked.acquire(timeout=PATIENCE_S)
        assert breaker.admit() is None
    status = breaker.status()
    assert (status.opened, status.why) == (1, "ConnectionRefusedError")
    assert status.since is not None
    dependency.there.set()
    assert back.wait(PATIENCE_S)
    assert breaker.admit()
    assert (breaker.status().since, breaker.status().why) == (None, "")


def test_callers_who_doubt_have_it_asked_once() -> None:
    dependency, tripped, go = Dependency(), threading.Event(), threading.Event()

    def slow() -> None:
        dependency.asked.release()
        assert go.wait(PATIENCE_S)
        raise ConnectionRefusedError

    breaker = Breaker("test", slow)
    breaker.on_open.append(tripped.set)
    for _ in range(20):
        breaker.doubt()
    assert dependency.asked.acquire(timeout=PATIENCE_S)
    assert not dependency.asked.acquire(blocking=False)
    go.set()
    assert tripped.wait(PATIENCE_S)
    assert not breaker.is_closed
    breaker.reset()


def test_of_many_threads_one_gets_the_probe() -> None:
    now = [0.0]
    breaker = Breaker("test", clock=lambda: now[0])
    breaker.trip("refused")
    now[0] = 60.0
    got, start = [], threading.Barrier(16)

    def ask() -> None:
        start.wait(PATIENCE_S)
        got.append(breaker.admit())

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert sum(ticket is not None for ticket in got) == 1


def test_a_forked_child_begins_anew() -> None:
    dependency = Dependency()
    breaker = Breaker("test", dependency.probe)
    breaker.trip("refused")
    breaker.reset()  # what the fork does in the child
    assert breaker.is_closed
    assert breaker.admit()


def test_each_opening_is_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    breaker = Breaker("test")
    tickets = [breaker.admit() for _ in range(3)]
    for ticket in tickets:
        assert ticket
        breaker.failed(ticket, ConnectionRefusedError())
    assert breaker.status().opened == 1
    assert sum("breaker.opened" in record.getMessage() for record in caplog.records) == 1


def test_a_probe_that_hangs_is_left_behind_and_another_closes_the_breaker() -> None:
    """Some client libraries wait for longer than they are told to: a name server, a half-open socket."""
    hang, let_go, back = threading.Event(), threading.Event(), threading.Event()
    hang.set()

    def probe() -> None:
        if hang.is_set():
            hang.clear()
            let_go.wait(PATIENCE_S)

    breaker = Breaker("test", probe, patience_s=0.05)
    breaker.on_close.append(back.set)
    breaker.trip("refused")
    assert back.wait(PATIENCE_S / 2)
    assert not hang.is_set()
    let_go.set()


def test_after_it_was_back_the_next_outage_is_asked_about_soon_again() -> None:
    made, now = an_open_one(), 0.0
    for _ in range(5):
        now += made.wait_s(now)
        probe = made.admit(now)
        assert probe
        made.failed(probe, now)
    now += made.wait_s(now)
    probe = made.admit(now)
    assert probe
    made.succeeded(probe)
    ticket = made.admit(now)
    assert ticket
    made.failed(ticket, now)
    assert made.wait_s(now) == 0.25


def test_with_a_probe_of_its_own_no_caller_is_ever_the_probe() -> None:
    asked, there, back = threading.Event(), threading.Event(), threading.Event()

    def probe() -> None:
        asked.set()
        there.wait(PATIENCE_S)

    breaker = Breaker("test", probe, circuit=lambda: Circuit(first_s=0, longest_s=0, probe_s=0))
    breaker.on_close.append(back.set)
    breaker.trip("refused")
    assert asked.wait(PATIENCE_S)
    assert [breaker.admit() for _ in range(3)] == [None] * 3
    there.set()
    assert back.wait(PATIENCE_S)
    assert breaker.admit()
