"""A decision in plain words, for people who ask why. Pure."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from notifications.engine.outcomes import Decision, GateResult, Outcome, stored_gates

_ENDINGS: Final[Mapping[Outcome, str]] = {
    Outcome.SENT: "Sent: every gate let it through.",
    Outcome.SUPPRESSED: "Not sent.",
    Outcome.FAILED: "Not sent: the rule failed on this event. Correct the rule or what the game sends.",
    Outcome.DEFERRED: "Not sent yet: it waits for its time.",
    Outcome.DIGESTED: "Not sent by itself: it goes into a digest.",
}


def explain(decision: Decision) -> list[str]:
    """Return sentences: one for each gate that was asked, notes about the text, and the end."""
    said = explain_gates(decision.gates, decision.outcome)
    notes = decision.content.notes if decision.content else ()
    return [*said[:-1], *(f"About the text: {note}." for note in notes), said[-1]]


def explain_stored(gates: Iterable[Mapping[str, Any]], outcome: str) -> list[str]:
    """Explain a decision's row from its JSON ``gates`` and its outcome."""
    return explain_gates(stored_gates(list(gates)), Outcome(outcome))


def explain_gates(gates: Iterable[GateResult], outcome: Outcome) -> list[str]:
    """Return one sentence for each gate, and the end."""
    return [*(_sentence(gate) for gate in gates), _ENDINGS[outcome]]


def _sentence(gate: GateResult) -> str:
    if gate.error:
        name, _, detail = gate.error.partition(": ")
        return f"The {name} could not be worked out: {detail}."
    say = _SAYINGS.get(gate.name)
    return say(gate) if say else _plainly(gate)


def _plainly(gate: GateResult) -> str:
    values = ", ".join(f"{name} {value}" for name, value in gate.values.items())
    verdict = "let it through" if gate.passed else f"stopped it ({gate.reason})"
    return f"The gate {gate.name} {verdict}{': ' + values if values else ''}."


def _condition(gate: GateResult) -> str:
    if not gate.passed:
        return "The condition is false for this event."
    return "The condition is true for this event." if gate.values else "The rule has no condition."


def _audience(gate: GateResult) -> str:
    where = gate.values.get("path") or "the rule's own list"
    size = gate.values.get("size")
    if gate.passed:
        return f"The player is in the audience: {size} found by {where}."
    return {
        "erased": "The player was erased and hears nothing any more.",
        "not_addressed": f"The player is not in the audience: {size} others found by {where}.",
        "empty": f"Nobody is addressed: {where} is an empty array.",
    }.get(gate.reason, f"The audience stopped it ({gate.reason}).")


def _expiry(gate: GateResult) -> str:
    now, expires = gate.values.get("now"), gate.values.get("expires")
    if expires is None:
        return "It never expires."
    if gate.passed:
        return f"It was in time: decided at {now}, expires at {expires}."
    return f"It came too late: decided at {now}, but it expired at {expires}."


_SAYINGS: Final[Mapping[str, Callable[[GateResult], str]]] = {
    "condition": _condition,
    "audience": _audience,
    "expiry": _expiry,
}
