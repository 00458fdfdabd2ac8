"""Conditions in CEL: compiled once, evaluated once for each event and rule, bounded. Pure.

Evaluating never raises and its errors never repeat a value of the event: CEL's own
messages do (a failed ``duration()`` quotes its argument), so each is replaced by a
sentence that is made of the expression's own words.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cel

from notifications.engine.cel_shape import STEPS_MAX, Shape, data_paths, patterns, problems_of, shape_of
from notifications.engine.outcomes import GateResult, Outcome
from notifications.engine.paths import PathMissing, parse_path
from notifications.engine.texts import type_name
from notifications.engine.views import EVENT_NAMES, EventView

SOURCE_MAX = 2_000  # characters

VARIABLES = ("data", "event")
FUNCTIONS = frozenset({
    "size", "contains", "startsWith", "endsWith", "matches", "type", "dyn",
    "int", "uint", "double", "string", "bytes", "timestamp", "duration",
    "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek", "getDayOfYear",
    "getHours", "getMinutes", "getSeconds", "getMilliseconds",
})  # fmt: skip

_OPERATOR = re.compile(r"\W")
_OPERANDS = re.compile(r"Unsupported operation: (\w+ \S{1,2} \w+)\.")
_FUNCTION = re.compile(r"Function '(\w+)' error")
_UNDEFINED = re.compile(r"Undefined variable or function: '(\w+)'")
_SAYINGS: Mapping[type[Exception], str] = {
    IndexError: "an index is beyond the end of its array",
    ZeroDivisionError: "it divides by zero",
    OverflowError: "a number left the 64-bit range, or a time the years 1 to 9999",
}
_GAVE_UP = "CEL gave up on this event"
_MISFIT = "it compares or reads values of types that do not fit; check that fields have the types you expect"
_VALUE_MAX = 200  # characters of a value that explain shows


class ConditionInvalid(ValueError):
    """An expression cannot be used as a condition; the message says why."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Condition:
    """A compiled condition; safe to evaluate from several threads, each with its own event."""

    source: str
    shape: Shape
    program: cel.Program

    def judge(self, event: EventView) -> GateResult:
        """Evaluate the condition on an event."""
        if self.shape.loops and (steps := self.shape.steps(*event.weight)) > STEPS_MAX:
            return _failed(
                "too_costly", f"it would take about {steps} steps on this event, at most {STEPS_MAX}"
            )
        try:
            verdict = self.program.execute(event.cel_context)
        except Exception as error:  # noqa: BLE001 - whatever CEL raises is the rule's failure, not ours
            return _failed("error", self._say(error))
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # pyo3 derives it from BaseException
                raise
            return _failed("error", _GAVE_UP)
        if not isinstance(verdict, bool):
            return _failed("no_verdict", f"it gives {type_name(verdict)}, not true or false")
        return _judged(verdict=verdict)

    def facts(self, event: EventView) -> dict[str, Any]:
        """Return what the condition names under ``data`` with the event's values, for explaining.

        Long texts, arrays and objects are named by type and size. Not for storing: it
        holds the event's data.
        """
        return {path: _value_at(path, event) for path in self.paths}

    @cached_property
    def paths(self) -> list[str]:
        """The paths under ``data`` that the condition names outright."""
        return data_paths(self.shape)

    def _say(self, error: Exception) -> str:
        text = str(error)
        if isinstance(error, KeyError):
            return f"{self._own(text.strip(chr(39)))} is not in the event"
        if type(error) in _SAYINGS:
            return _SAYINGS[type(error)]
        if found := _OPERANDS.search(text):
            return f"it cannot compute {found[1]}; convert with int(), double() or string()"
        if found := _FUNCTION.search(text):
            return f"{self._own(found[1])}() cannot use the value it was given"
        if found := _UNDEFINED.search(text):
            return f"{self._own(found[1])}() does not take values of these types"
        # the binding turns a panic into a ValueError
        return _GAVE_UP if isinstance(error, ValueError) else _MISFIT

    def _own(self, word: str) -> str:
        return word if word in self.shape.names else "a computed name"


def compile_condition(source: str) -> Condition | None:
    """Compile a condition; None for an empty one, which is always true.

    Raises:
        ConditionInvalid: it is no CEL, names what does not exist, or could run away.
    """
    if not source.strip():
        return None
    if len(source) > SOURCE_MAX:
        raise ConditionInvalid(f"has {len(source)} characters, at most {SOURCE_MAX}")
    program = _parse(source)
    shape = shape_of(source)
    problems = [*problems_of(shape), *_unknown_names(program, shape)]
    if problems:
        raise ConditionInvalid("; ".join(dict.fromkeys(problems)))
    _try_patterns(shape)
    return Condition(source=source, shape=shape, program=program)


def _parse(source: str) -> cel.Program:
    try:
        return cel.compile(source)
    except ValueError as error:
        found = re.search(r"<input>:(\d+):(\d+): (.*)", str(error))
        detail = f"line {found[1]}, column {found[2]}: {found[3]}" if found else "cannot be parsed"
        raise ConditionInvalid(f"is no CEL expression: {detail[:300]}") from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ConditionInvalid("is no CEL expression that can be compiled") from None


def _unknown_names(program: cel.Program, shape: Shape) -> list[str]:
    unknown = set(program.variables()) - set(VARIABLES) - shape.variables
    found = [f"{name} is unknown; there are data and event" for name in sorted(unknown - _TYPES)]
    called = {name for name in program.functions() if not _OPERATOR.search(name)}
    found += [
        f"{name}() is unknown or takes other arguments"
        for name in sorted(called - FUNCTIONS)
        if name != "map"
    ]
    return found + _unknown_event_names(shape)


_TYPES = frozenset({
    "bool", "bytes", "double", "int", "list", "map", "null_type", "string", "timestamp", "type", "uint",
})  # fmt: skip


def _unknown_event_names(shape: Shape) -> list[str]:
    words = [word.text for word in shape.words]
    named = {words[at + 2] for at in range(len(words) - 2) if words[at : at + 2] == ["event", "."]}
    return [
        f"event.{name} is unknown; there are {', '.join(EVENT_NAMES)}"
        for name in sorted(named - set(EVENT_NAMES))
    ]


def _try_patterns(shape: Shape) -> None:
    for pattern in patterns(shape):
        try:
            cel.evaluate(f'"".matches({pattern})')
        except (RuntimeError, ValueError, TypeError):
            raise ConditionInvalid(f"{pattern} is no regular expression that matches() can use") from None


def _value_at(path: str, event: EventView) -> Any:
    try:
        value = parse_path(path).find(event)
    except PathMissing as missing:
        return str(missing)
    if isinstance(value, (list, dict)):
        return f"{type_name(value)} of {len(value)}"
    return value if not isinstance(value, str) else value[:_VALUE_MAX]


def _judged(*, verdict: bool) -> GateResult:
    if verdict:
        return GateResult(name="condition", passed=True, values={"result": True})
    return GateResult(
        name="condition", passed=False, values={"result": False}, reason="unmet", outcome=Outcome.SUPPRESSED
    )


def _failed(reason: str, error: str) -> GateResult:
    return GateResult(
        name="condition", passed=False, reason=reason, outcome=Outcome.FAILED, error=f"condition: {error}"
    )
