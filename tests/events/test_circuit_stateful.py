"""Whatever callers do with a circuit, and whatever the clock does, it keeps its rules."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from events.breakers import Breaker, Circuit, State, Ticket

FIRST_S, LONGEST_S, PROBE_S = 0.25, 2.0, 10.0
PATIENCE_S = 30
THREADS, STEPS = 8, 400


class CircuitMachine(RuleBasedStateMachine):
    """The circuit beside what is to be true of it, kept in a few plain variables."""

    tickets = Bundle("tickets")

    def __init__(self) -> None:
        super().__init__()
        self.circuit = Circuit()
        self.now = 0.0
        self.closed = True
        self.until = 0.0  # open, or waiting for its one probe
        self.probe: Ticket | None = None  # the only one whose word counts
        self.begun: set[int] = set()  # tickets of the present closed time
        self.failures = self.opened = 0

    @rule(seconds=st.sampled_from([0.0, 0.01, 0.124, 0.25, 1.0, 2.0, 9.9, 10.0, 3_600.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def time_passes_until_it_asks_again(self) -> None:
        self.now += self.circuit.wait_s(self.now)

    @rule(target=tickets)
    def somebody_wants_to_try(self) -> Any:
        ticket = self.circuit.admit(self.now)
        if self.closed:
            assert ticket is not None
            assert not ticket.probe
            self.begun.add(id(ticket))
        elif self.now < self.until:
            assert ticket is None, "nobody pays while it is open, nor beside the one probe"
        else:
            assert ticket is not None, "it always asks again"
            assert ticket.probe
            self.probe, self.until = ticket, self.now + PROBE_S
        return ticket

    @rule(ticket=consumes(tickets))
    def it_went_well(self, ticket: Ticket | None) -> None:
        if ticket is None:
            return
        closes = ticket is self.probe
        assert self.circuit.succeeded(ticket) == closes
        if closes:
            self.closed, self.probe, self.failures = True, None, 0
            self.begun = set()

    @rule(ticket=consumes(tickets))
    def it_failed(self, ticket: Ticket | None) -> None:
        if ticket is None:
            return
        opens = self.closed and id(ticket) in self.begun
        counts = opens or ticket is self.probe
        assert self.circuit.failed(ticket, self.now) == opens
        if counts:
            self._is_open(opens)

    @rule()
    def other_evidence_says_that_it_is_away(self) -> None:
        was_open = not self.closed and self.probe is None
        opens = self.closed
        assert self.circuit.trip(self.now) == opens
        if not was_open:
            self._is_open(opens)

    def _is_open(self, opens: bool) -> None:
        self.failures += 1
        self.opened += opens
        self.closed, self.probe, self.begun = False, None, set()
        grown = min(LONGEST_S, FIRST_S * 2 ** (self.failures - 1))
        wait = self.circuit.wait_s(self.now)
        assert grown / 2 - 1e-6 <= wait <= grown + 1e-6, (
            "doubled with each failure in a row, from the beginning"
        )
        self.until = self.now + wait

    @invariant()
    def its_state_is_the_one_that_it_should_have(self) -> None:
        state = State.CLOSED if self.closed else State.HALF_OPEN if self.probe else State.OPEN
        assert self.circuit.state is state
        assert self.circuit.opened == self.opened
        assert self.circuit.wait_s(self.now) <= (PROBE_S if self.probe else LONGEST_S) + 1e-6


TestCircuit = CircuitMachine.TestCase
TestCircuit.settings = settings(max_examples=100, stateful_step_count=50, deadline=None)


class Flapping:
    """Away for every other stretch of calls; counts who asks while it is taken to be away."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls = self.probes = self.most_probes = 0

    def ask(self, *, probe: bool) -> None:
        with self._lock:
            self.calls += 1
            away = self.calls // 10 % 2 == 1
            self.probes += probe
            self.most_probes = max(self.most_probes, self.probes)
        try:
            if away:
                raise ConnectionRefusedError
        finally:
            with self._lock:
                self.probes -= probe


def test_of_many_threads_at_once_one_probes_and_every_opening_is_told_once() -> None:
    """Half a second passes with each look at the clock, so that it opens and closes many times."""
    ticks = count()
    opened, closed = list[int](), list[int]()
    dependency = Flapping()
    breaker = Breaker("test", clock=lambda: next(ticks) / 2)
    breaker.on_open.append(lambda: opened.append(1))
    breaker.on_close.append(lambda: closed.append(1))
    start = threading.Barrier(THREADS)

    def call_again_and_again() -> None:
        start.wait(PATIENCE_S)
        for _ in range(STEPS):
            _call(breaker, dependency)

    with ThreadPoolExecutor(THREADS) as pool:
        for each in [pool.submit(call_again_and_again) for _ in range(THREADS)]:
            each.result(PATIENCE_S)
    assert dependency.most_probes == 1
    status = breaker.status()
    assert len(opened) == status.opened > 1
    assert len(closed) == status.opened - (status.state is not State.CLOSED)
    assert (status.since is None) == (status.state is State.CLOSED)


def _call(breaker: Breaker, dependency: Flapping) -> None:
    ticket = breaker.admit()
    if ticket is None:
        return
    try:
        dependency.ask(probe=ticket.probe)
    except ConnectionRefusedError as error:
        breaker.failed(ticket, error)
    else:
        breaker.succeeded(ticket)
