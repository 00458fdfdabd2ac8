"""The rules of a circuit breaker, pure: no thread, no clock of its own, no dependency.

Closed lets everything through. A failure opens it; open lets nothing through for a while.
After that it is half open: one probe at a time, whose success closes it and whose failure
opens it again, for longer each time up to a bound.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a circuit is."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


@dataclass(frozen=True, kw_only=True)
class Ticket:
    """The right to one try, and the duty to say how it went."""

    period: int  # which of the circuit's times it was given in: what is said of an earlier one is out of date
    probe: bool


class Circuit:
    """Not thread-safe. ``now`` is monotonic, in seconds, whatever it counts from."""

    def __init__(
        self,
        *,
        first_s: float = 0.25,
        longest_s: float = 2.0,
        probe_s: float = 10.0,
        jitter: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Start closed. A probe that says nothing for ``probe_s`` is given up as lost."""
        self.state = State.CLOSED
        self.opened = 0  # so many times in all
        self._first_s, self._longest_s, self._probe_s, self._jitter = first_s, longest_s, probe_s, jitter
        self._period = 0
        self._failures = 0  # in a row
        self._until = 0.0

    def admit(self, now: float) -> Ticket | None:
        """Return a ticket, or None: then nothing may be tried."""
        if self.state is State.CLOSED:
            return Ticket(period=self._period, probe=False)
        if now < self._until:
            return None
        self._enter(State.HALF_OPEN)
        self._until = now + self._probe_s
        return Ticket(period=self._period, probe=True)

    def wait_s(self, now: float) -> float:
        """Return for how long nothing is let through: 0 when closed."""
        return 0.0 if self.state is State.CLOSED else max(0.0, self._until - now)

    def succeeded(self, ticket: Ticket) -> bool:
        """Take a success; True if it closed the circuit. What began before it opened proves nothing."""
        if ticket.period != self._period or not ticket.probe:
            return False
        self._failures = 0
        self._enter(State.CLOSED)
        return True

    def failed(self, ticket: Ticket, now: float) -> bool:
        """Take a failure; True if it opened a closed circuit."""
        return ticket.period == self._period and self.trip(now)

    def trip(self, now: float) -> bool:
        """Open it on other evidence than a ticket's; True if it was closed."""
        was_closed = self.state is State.CLOSED
        if self.state is State.OPEN:
            return False
        self._failures += 1
        self.opened += was_closed
        self._enter(State.OPEN)
        self._until = now + self._open_s()
        return was_closed

    def _open_s(self) -> float:
        """Return the next open time: doubled with each failure, jittered, and never beyond the bound."""
        grown: float = min(self._longest_s, self._first_s * 2.0 ** min(self._failures - 1, 30))
        return self._jitter(grown / 2, grown)

    def _enter(self, state: State) -> None:
        self.state = state
        self._period += 1
