"""A circuit with a lock, a name, a probe of its own, and a word in the log for each change."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from prometheus_client import Counter

from events.breakers.asking import Asker, Unanswered
from events.breakers.circuit import Circuit, State, Ticket

PROBE_S = 8.0
"""A probe that has not answered by then is lost; its own time-outs are shorter. The circuit gives it 10 s."""

log = structlog.get_logger(__name__)
opened = Counter("clarion_breaker_opened_total", "Times that a dependency was found to be away.", ["name"])


@dataclass(frozen=True, kw_only=True)
class Status:
    """What is known of a dependency at the moment."""

    name: str
    state: State
    since: datetime | None  # when it went away; None while it is there
    why: str  # a word or two, never a value: '' while it is there
    opened: int  # how often it went away since the process began
    retry_s: float  # when it is asked again, from now


class Breaker:
    """Keeps a dead dependency from costing each caller its time-out. Safe for threads.

    With a ``probe`` nobody who calls ever waits for a dead dependency: a thread that exists
    only while it is away asks it, and lets callers in again when it answers. Without one, the
    first caller after the open time is the probe.
    """

    def __init__(
        self,
        name: str,
        probe: Callable[[], None] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        circuit: Callable[[], Circuit] = Circuit,
        patience_s: float = PROBE_S,
    ) -> None:
        """``probe`` raises while the dependency is away; one that hangs is left behind after ``patience_s``."""
        self.name = name
        self._probe, self._clock, self._new_circuit, self._patience_s = probe, clock, circuit, patience_s
        self.on_open: list[Callable[[], None]] = []
        self.on_close: list[Callable[[], None]] = []
        """Called on whichever thread brought the change about, holding no lock; they raise nothing."""
        self._stop = threading.Event()
        self.reset()

    def reset(self) -> None:
        """Begin anew, closed: in a forked child, where the prober's thread does not exist, and in tests."""
        self._stop.set()
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._circuit = self._new_circuit()
        self._asker = Asker(f"ask-{self.name}", self._patience_s)
        self._since: datetime | None = None
        self._why = ""
        self._doubted = False

    # -- for callers -----------------------------------------------------------------------------------

    @property
    def is_closed(self) -> bool:
        """Tell whether the dependency is taken to be there."""
        return self._circuit.state is State.CLOSED

    def admit(self) -> Ticket | None:
        """Return a ticket to be given back by ``succeeded`` or ``failed``; None: do without, at once."""
        with self._lock:
            if self._probe is not None and self._circuit.state is not State.CLOSED:
                return None
            return self._circuit.admit(self._clock())

    def succeeded(self, ticket: Ticket) -> None:
        """Say that a try went well."""
        with self._lock:
            closed = self._circuit.succeeded(ticket)
            since = self._since
            if closed:
                self._since, self._why = None, ""
        if closed:
            self._tell_closed(since)

    def failed(self, ticket: Ticket, error: BaseException) -> None:
        """Say that a try found the dependency away."""
        self._open(lambda now: self._circuit.failed(ticket, now), _named(error))

    def trip(self, why: str) -> None:
        """Say that other evidence has shown it to be away, in a word or two."""
        self._open(self._circuit.trip, why)

    def doubt(self) -> None:
        """Have it asked now, by the breaker's own thread, because it may be away. Returns at once."""
        with self._lock:
            if self._probe is None or self._doubted or self._circuit.state is not State.CLOSED:
                return
            self._doubted = True
            stop = self._stop
        threading.Thread(target=self._settle, args=(stop,), name=f"doubt-{self.name}", daemon=True).start()

    def status(self) -> Status:
        """Return what is known."""
        with self._lock:
            return Status(
                name=self.name,
                state=self._circuit.state,
                since=self._since,
                why=self._why,
                opened=self._circuit.opened,
                retry_s=round(self._circuit.wait_s(self._clock()), 3),
            )

    # -- its own threads -------------------------------------------------------------------------------

    def probe_once(self) -> bool:
        """Ask the dependency if it is time to; True when it is there. The prober's own step."""
        with self._lock:
            ticket = self._circuit.admit(self._clock())
        if ticket is None or self._probe is None:
            return False
        try:
            self._asker.ask(self._probe)
        except Exception as error:  # noqa: BLE001 - whatever it raises, the dependency is away
            self.failed(ticket, error)
            return False
        self.succeeded(ticket)
        return self.is_closed

    def _settle(self, stop: threading.Event) -> None:
        try:
            if self._probe is not None:
                self._asker.ask(self._probe)
        except Exception as error:  # noqa: BLE001 - as above
            if not stop.is_set():
                self.trip(_named(error))
        finally:
            self._doubted = False

    def _ask_until_back(self, stop: threading.Event) -> None:
        while not stop.wait(self.status().retry_s):
            if self.probe_once() or stop.is_set():
                return

    def _open(self, opens: Callable[[float], bool], why: str) -> None:
        """Keep why it is away; the first time, tell everybody and begin to ask."""
        with self._lock:
            opened_now, stop = opens(self._clock()), self._stop
            if self._circuit.state is State.CLOSED:
                return  # somebody who was late: it is there again
            self._why = why
            if opened_now:
                self._since = datetime.now(UTC)
        if opened_now:
            self._tell_opened(why, stop)

    def _tell_opened(self, why: str, stop: threading.Event) -> None:
        opened.labels(self.name).inc()
        log.warning("breaker.opened", dependency=self.name, why=why)
        for follow in self.on_open:
            follow()
        if self._probe is not None:
            threading.Thread(
                target=self._ask_until_back, args=(stop,), name=f"probe-{self.name}", daemon=True
            ).start()

    def _tell_closed(self, since: datetime | None) -> None:
        away_s = (datetime.now(UTC) - since).total_seconds() if since else 0.0
        log.info("breaker.closed", dependency=self.name, away_s=round(away_s, 1))
        for follow in self.on_close:
            follow()


def _named(error: BaseException) -> str:
    """Say what happened without a value that may be secret."""
    return str(error) if isinstance(error, Unanswered) else type(error).__name__
