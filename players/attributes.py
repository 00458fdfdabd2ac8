"""A profile's attributes: merging them, and writing numbers in one way. Pure."""

import math
from typing import Any

import orjson

from events.envelope.hazards import INT_MAX, INT_MIN, text_problem

ATTRIBUTES_MAX = 16 * 1024  # bytes of JSON, of all attributes together

Attributes = dict[str, Any]


def merged(known: Attributes, given: Any) -> Attributes:
    """Return attributes after a change: names given replace, ``null`` removes.

    Raises:
        TypeError, ValueError: it is no object, holds what cannot be stored, or is too large together.
    """
    if not isinstance(given, dict):
        raise TypeError("attributes are an object")
    both = {**known, **canonical(given)}
    kept = {name: value for name, value in both.items() if value is not None}
    if len(orjson.dumps(kept)) > ATTRIBUTES_MAX:
        raise ValueError(f"attributes take at most {ATTRIBUTES_MAX} bytes of JSON together")
    return kept


def canonical(value: Any) -> Any:
    """Write a JSON value so that it is the same before and after a database.

    PostgreSQL's jsonb knows one kind of number and gives ``1e30`` back as 31 digits. Without
    this, a profile that was folded in two batches differs from one that was folded in one.

    Raises:
        ValueError: a number or text that cannot be stored.
    """
    if isinstance(value, dict):
        return {_text(name): canonical(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [canonical(inner) for inner in value]
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _number(value)
    return value


def _number(value: float) -> float:
    """Return whole numbers of 64 bits as int, all others as float."""
    try:
        real = float(value)
    except OverflowError:
        real = math.inf
    if not math.isfinite(real):
        raise ValueError("a number is infinite")
    if not INT_MIN <= value <= INT_MAX:
        return real
    return int(value) if value == int(value) else real


def _text(value: str) -> str:
    if problem := text_problem(value):
        raise ValueError(f"a text {problem}")
    return value
