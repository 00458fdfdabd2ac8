"""What the engine answers: gates, decisions, the text to show, and whom a rule reaches. Pure values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any


class Outcome(StrEnum):
    """How a decision ended."""

    SENT = "sent"
    SUPPRESSED = "suppressed"
    FAILED = "failed"
    DEFERRED = "deferred"  # reserved for quiet hours
    DIGESTED = "digested"  # reserved for digests


class NotificationClass(StrEnum):
    """What kind of thing the player gets."""

    INBOX = "inbox"
    LIVE = "live"  # seconds to live, not in the inbox
    REWARD = "reward"  # reserved: claimed exactly once
    ANNOUNCEMENT = "announcement"  # reserved: one row, read by many


@dataclass(frozen=True, kw_only=True)
class GateResult:
    """One step of deciding, with the values that it compared."""

    name: str
    passed: bool
    values: Mapping[str, Any] = field(default_factory=dict)  # JSON-able
    reason: str = ""  # short code when not passed, such as 'expired'
    outcome: Outcome | None = None  # what the decision becomes when not passed
    error: str = ""  # a sentence, for outcome failed; never holds a value of the event's data

    def to_json(self) -> dict[str, Any]:
        """Return it as stored in a decision's row."""
        stored: dict[str, Any] = {"name": self.name, "passed": self.passed, "values": dict(self.values)}
        if self.passed:
            return stored
        stored |= {"reason": self.reason, "outcome": self.outcome}
        return stored | {"error": self.error} if self.error else stored


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a player is shown. Plain text: a client never renders it as HTML."""

    title: str = field(repr=False)  # one line, at most 200 characters
    body: str = field(repr=False)  # at most 4,000 characters
    category: str
    class_: NotificationClass
    data: Mapping[str, Any] = field(repr=False)  # JSON object, at most 8 KiB
    actions: Sequence[Mapping[str, Any]] = ()
    expires: datetime | None
    locale: str  # of the template that was used, '' for text that the event brought
    channels: tuple[str, ...] = ()  # by which it is brought as well, such as 'webhook'
    notes: tuple[str, ...] = ()  # 'title: data.guild is missing', 'body: cut from 5000 to 4000 characters'


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The outcome for one (rule, event, player), with every gate that was asked."""

    rule_id: int
    revision_id: int
    event_id: str
    player: str  # '' when no player could be found
    outcome: Outcome
    gate: str = ""  # the gate that stopped it, '' when sent
    error: str = ""  # for failed
    gates: tuple[GateResult, ...]
    content: Content | None = None  # for sent
    now: datetime
    profile_revision: int = 0

    @property
    def reason(self) -> str:
        """The short code of the gate that stopped it, '' when sent."""
        return self.gates[-1].reason if self.gates else ""

    def gates_json(self) -> list[dict[str, Any]]:
        """Return the gates as stored in a decision's row; ``stored_gates`` reads them back."""
        return [gate.to_json() for gate in self.gates]

    def about(self, player: str) -> "Decision":
        """Return the same decision for a named player."""
        return replace(self, player=player)


@dataclass(frozen=True, kw_only=True)
class Reached:
    """Whom a rule addresses with an event."""

    gates: tuple[GateResult, GateResult]  # condition, audience
    players: tuple[str, ...]  # keys, without repeats, in the event's order
    record: Decision | None = None  # to store with player '': entries that were no player's key

    @cached_property
    def known(self) -> frozenset[str]:
        """The players, for look-ups."""
        return frozenset(self.players)


@dataclass(frozen=True, kw_only=True)
class Missed:
    """A rule addresses nobody with an event; the decision says why."""

    decision: Decision
    players: tuple[str, ...] = ()  # always empty: callers may loop without asking which it is

    @property
    def record(self) -> Decision | None:
        """The decision if it is to be stored; None for a false condition, which is recomputed."""
        unmet = self.decision.outcome is Outcome.SUPPRESSED and self.decision.gate == "condition"
        return None if unmet else self.decision


def stored_gates(rows: Sequence[Mapping[str, Any]]) -> tuple[GateResult, ...]:
    """Read back what ``Decision.gates_json`` wrote, for ``explain``."""
    return tuple(
        GateResult(
            name=row["name"],
            passed=row["passed"],
            values=row.get("values", {}),
            reason=row.get("reason", ""),
            outcome=Outcome(row["outcome"]) if row.get("outcome") else None,
            error=row.get("error", ""),
        )
        for row in rows
    )
