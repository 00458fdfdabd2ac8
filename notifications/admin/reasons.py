"""Why something was sent, or was not: in plain words, with the values that were compared."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from events.log.read import one
from events.models import Checkpoint, DeadLetter, Event, Skip
from notifications import engine, rulebook
from notifications.decisions.views import event_view
from notifications.engine import EventView, GateResult
from notifications.models import Decision, Rule, RuleRevision
from notifications.models.decisions import Outcome

HUB = "decisions"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One gate of a decision."""

    name: str
    passed: bool
    said: str
    values: Mapping[str, str]  # what was compared, as JSON where it is no text


TOLD = frozenset({"result", "path", "size"})
"""Values that a gate's own sentence tells."""


def steps(gates: Sequence[GateResult], said: Sequence[str], facts: Mapping[str, Any]) -> list[Step]:
    """Return gates with their sentences; ``facts`` are what the condition names of the event."""
    return [
        Step(
            name=gate.name,
            passed=gate.passed,
            said=sentence,
            values=_shown({**(facts if gate.name == "condition" else {}), **gate.values}),
        )
        for gate, sentence in zip(gates, said, strict=False)
    ]


def of_decision(decision: Decision, event: EventView | None) -> list[Step]:
    """Return a stored decision's gates; with the event also the values that its condition met."""
    said = engine.explain_stored(decision.gates, decision.outcome)
    known = facts(decision.revision, event) if event else {}
    return steps(engine.stored_gates(decision.gates), said, known)


def ending(decision: Decision) -> str:
    """Return the sentence that sums a decision up."""
    return engine.explain_stored(decision.gates, decision.outcome)[-1]


def because(decision: Decision) -> str:
    """Return what stopped a decision; empty for one that was sent."""
    if decision.outcome == Outcome.SENT or not decision.gates:
        return ""
    return engine.explain_stored(decision.gates, decision.outcome)[-2]


def facts(revision: RuleRevision, event: EventView) -> Mapping[str, Any]:
    """Return what the condition names of the event, with the values it has there."""
    condition = rulebook.compiled(revision).condition
    return condition.facts(event) if condition else {}


def view_of(event_pk: int) -> EventView | None:
    """Return an event as rules see it, unless its payload is no longer there."""
    event = one(event_pk)
    gone = event is None or (event.data is None and event.data_encoding != "")
    return None if event is None or gone else event_view(event)


def silence(event: Event) -> Iterator[tuple[Rule | None, str]]:
    """Say why rules have decided nothing about an event: what is not stored is worked out again.

    Rules are taken as they are now; whoever reads it is told so.
    """
    if said := _waiting(event) or _skipped(event):
        yield None, said
        return
    rules = Rule.objects.filter(game_id=event.game_id, event_type=event.type).select_related("revision")
    decided = set(Decision.objects.filter(event_id=event.pk).values_list("rule_id", flat=True).distinct())
    quiet = [rule for rule in rules.order_by("slug") if rule.pk not in decided]
    if not quiet and not decided:
        yield None, f"No rule of this game is about {event.type}."
    view = view_of(event.pk) if quiet else None
    for rule in quiet:
        yield rule, _why_quiet(rule, event, view)


def _waiting(event: Event) -> str:
    """Say that the hub has not come to it yet, or has parked its stream."""
    parked = DeadLetter.objects.filter(
        hub=HUB, partition_id=event.partition_id, lane=event.lane, stream=event.stream, resolved=None
    ).first()
    if parked and parked.version <= event.version:
        return f"Its stream is parked from version {parked.version} on: see the dead letters."
    done = Checkpoint.objects.filter(
        hub=HUB, partition_id=event.partition_id, lane=event.lane, position__gte=event.offset
    )
    return "" if done.exists() else "No rule has looked at it yet: it waits for the decisions hub."


def _skipped(event: Event) -> str:
    """Say that staff have decided that no rule ever looks at it."""
    skip = Skip.objects.filter(
        hub=HUB, partition_id=event.partition_id, lane=event.lane, stream=event.stream, first__lte=event.version,
        last__gte=event.version,
    ).first()  # fmt: skip
    return f"{skip.by} skipped it, so no rule decides about it: {skip.reason}" if skip else ""


def _why_quiet(rule: Rule, event: Event, view: EventView | None) -> str:
    if not rule.enabled:
        return "The rule is disabled."
    if rule.revision is None or rule.revision.created > event.recorded:
        return "The rule as it is now is newer than the event; an earlier revision may have been different."
    if view is None:
        return "The event's payload is no longer there, so this cannot be worked out again."
    return _worked_out(rule.revision, view)


def _worked_out(revision: RuleRevision, view: EventView) -> str:
    found = engine.audience(rulebook.compiled(revision), view, datetime.now(UTC))
    if isinstance(found, engine.Reached):
        return "It addresses players: its decisions are still being written, page by page."
    values = ", ".join(f"{path} is {_json(value)}" for path, value in facts(revision, view).items())
    said = engine.explain(found.decision)[0]
    return f"{said} Here {values}." if values else said


def _shown(values: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else _json(value)
        for name, value in values.items()
        if value is not None and name not in TOLD
    }


def _json(value: Any) -> str:
    return orjson.dumps(value, default=str).decode()
