"""A fingerprint names the kind of a failure: its class and places, never a value."""

import traceback
from datetime import UTC, datetime, timedelta

import pytest

from events.hubs.letters.failing import failure
from events.hubs.letters.schedule import FOR, next_retry

SECRET = "alice@example.org"
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def caught(value: str, depth: int = 0, kind: type[Exception] = ValueError) -> Exception:
    """Return an error of some kind, from some depth of recursion, that carries a value."""

    def fail(left: int) -> None:
        if left:
            fail(left - 1)
        raise kind(value)

    try:
        fail(depth)
    except kind as error:
        return error
    raise AssertionError


def test_a_fingerprint_does_not_depend_on_values_or_on_the_depth_of_recursion() -> None:
    assert failure("h", caught("a")).fingerprint == failure("h", caught("b", depth=7)).fingerprint


def test_a_fingerprint_does_not_depend_on_lines() -> None:
    def made(code: str) -> Exception:
        scope = {"__name__": "projection"}
        exec(code, scope)
        try:
            scope["apply"]()  # type: ignore[operator]
        except ValueError as error:
            return error
        raise AssertionError

    before = made("def apply():\n    raise ValueError('x')")
    after = made("\n\n\ndef apply():\n    y = 1\n    raise ValueError('z')")
    assert traceback.extract_tb(before.__traceback__) != traceback.extract_tb(after.__traceback__)
    assert failure("h", before).fingerprint == failure("h", after).fingerprint


@pytest.mark.parametrize(
    ("hub", "kind"), [("other", ValueError), ("h", KeyError)], ids=["another hub", "another class"]
)
def test_other_failures_have_other_fingerprints(hub: str, kind: type[Exception]) -> None:
    assert failure("h", caught("a")).fingerprint != failure(hub, caught("a", kind=kind)).fingerprint


def test_nothing_of_the_message_is_kept() -> None:
    kept = failure("h", caught(SECRET))
    assert SECRET not in f"{kept.cause}{kept.traceback}{kept.fingerprint}"
    assert "in fail" in kept.traceback


def test_pauses_double_from_a_minute_to_an_hour() -> None:
    pauses = [next_retry(NOW, NOW, retries) for retries in range(9)]
    for retries, when in enumerate(pauses):
        assert when is not None
        expected = min(timedelta(hours=1), timedelta(minutes=2**retries))
        assert expected * 0.8 <= when - NOW <= expected * 1.2


def test_pauses_are_jittered() -> None:
    assert len({next_retry(NOW, NOW, 6) for _ in range(20)}) > 10


def test_retries_end_after_a_day() -> None:
    assert next_retry(NOW, NOW - FOR, 30) is None
    assert next_retry(NOW, NOW - FOR + timedelta(hours=2), 30) is not None
