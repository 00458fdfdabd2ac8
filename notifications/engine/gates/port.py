"""What a gate is: a pure function from a case to a result."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from notifications.engine.outcomes import GateResult, NotificationClass, Reached
from notifications.engine.rules import CompiledRule
from notifications.engine.views import EventView, PlayerState, PlayerView


@dataclass(frozen=True, kw_only=True)
class Case:
    """All that a gate may look at."""

    rule: CompiledRule
    event: EventView
    reached: Reached
    player: PlayerView
    state: PlayerState
    now: datetime
    class_: NotificationClass
    expires: datetime | None


class Gate(Protocol):
    """Judges a case.

    A gate must be pure and must not raise. Its result bears the gate's name, the values
    that it compared (JSON-able), and, when not passed, a short reason and the outcome
    that the decision takes: suppressed, deferred, digested or failed. It changes nothing:
    whoever stores the decision also charges caps and opens digests.
    """

    def __call__(self, case: Case, /) -> GateResult:
        """Return the result for a case."""
