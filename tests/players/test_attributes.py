"""Attributes merge, and numbers survive a database."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from players.attributes import ATTRIBUTES_MAX, canonical, merged

NUMBERS = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | NUMBERS | st.text(st.characters(codec="utf-8", exclude_characters="\0"))
VALUES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=3),
)


@pytest.mark.parametrize(
    ("known", "given_", "after"),
    [
        ({}, {"level": 3}, {"level": 3}),
        ({"level": 3}, {"clan": "owls"}, {"level": 3, "clan": "owls"}),
        ({"level": 3}, {"level": 4}, {"level": 4}),
        ({"level": 3, "clan": "owls"}, {"clan": None}, {"level": 3}),
        ({}, {"clan": None}, {}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}, {"a": {"b": 3}}),
        ({"a": 1}, {}, {"a": 1}),
    ],
)
def test_names_given_replace_and_null_removes(
    known: dict[str, Any], given_: dict[str, Any], after: dict[str, Any]
) -> None:
    before = json.dumps(known)
    assert merged(known, given_) == after
    assert json.dumps(known) == before, "the old state is left as it was"


@pytest.mark.parametrize(
    "bad", [None, [], "x", 7, {"a": "\0"}, {"a": ["\ud800"]}, {"\0": 1}, {"a": 10**400}, {"a": float("inf")}]
)
def test_what_cannot_be_stored_is_refused(bad: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        merged({}, bad)


def test_attributes_are_bounded_together() -> None:
    half = {"a": "x" * (ATTRIBUTES_MAX // 2)}
    known = merged({}, half)
    with pytest.raises(ValueError, match="together"):
        merged(known, {"b": half["a"]})
    assert set(merged(known, {"a": None, "b": half["a"]})) == {"b"}, "what is removed makes room"


@given(VALUES)
def test_writing_numbers_in_one_way_changes_no_value_and_is_done_once(value: Any) -> None:
    once = canonical(value)
    assert once == value
    assert repr(canonical(once)) == repr(once)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (1.0, "1"),
        (1e18, "1000000000000000000"),
        (1e30, "1e+30"),
        (10**30, "1e+30"),
        (0.5, "0.5"),
        (True, "True"),
    ],
)
def test_whole_numbers_of_64_bits_are_int_and_larger_ones_float(number: float, written: str) -> None:
    assert repr(canonical(number)) == written
