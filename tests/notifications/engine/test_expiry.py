"""The gate expiry: what comes too late is never shown."""

from datetime import UTC, datetime, timedelta

import pytest

from notifications.engine import Outcome, PlayerState, decide
from tests.notifications.engine.cases import ALICE, NOW, event, rule

SECOND = timedelta(seconds=1)


def made(now: datetime, *, ttl_s: int | None = None, class_: str = "inbox", **given: object):
    return decide(rule(ttl_s=ttl_s, **{"class": class_}), event(**given), ALICE, PlayerState(), now)


@pytest.mark.parametrize(
    ("ttl_s", "time", "expires", "expected"),
    [
        (None, None, None, None),
        (20, None, None, NOW + 20 * SECOND),
        (20, NOW - 5 * SECOND, None, NOW + 15 * SECOND),
        (20, NOW + 3600 * SECOND, None, NOW + 20 * SECOND),
        (20, None, NOW + 9 * SECOND, NOW + 9 * SECOND),
        (20, None, NOW + 60 * SECOND, NOW + 20 * SECOND),
        (None, None, NOW + 60 * SECOND, NOW + 60 * SECOND),
    ],
)
def test_a_notification_ends_at_the_earlier_of_its_two_ends(ttl_s, time, expires, expected) -> None:
    decision = made(NOW, ttl_s=ttl_s, time=time, expires=expires)
    assert decision.content is not None
    assert decision.content.expires == expected


@pytest.mark.parametrize(
    ("late", "outcome"),
    [
        (20 * SECOND - timedelta(microseconds=1), Outcome.SENT),
        (20 * SECOND, Outcome.SUPPRESSED),
        (21 * SECOND, Outcome.SUPPRESSED),
    ],
)
def test_what_has_expired_is_suppressed_from_that_instant_on(late: timedelta, outcome: Outcome) -> None:
    decision = made(NOW + late, ttl_s=20, class_="live")
    assert decision.outcome is outcome
    assert decision.gates[-1].name == "expiry"
    assert decision.gates[-1].values["expires"] == "2026-01-31T12:00:20Z"


def test_a_suppressed_notification_records_what_it_compared() -> None:
    decision = made(NOW + timedelta(minutes=1), ttl_s=20)
    assert (decision.gate, decision.reason) == ("expiry", "expired")
    assert decision.content is None
    assert decision.gates_json()[-1] == {
        "name": "expiry",
        "passed": False,
        "values": {"now": "2026-01-31T12:01:00Z", "expires": "2026-01-31T12:00:20Z"},
        "reason": "expired",
        "outcome": "suppressed",
    }


def test_a_live_notification_without_an_end_fails() -> None:
    decision = made(NOW, class_="live")
    assert (decision.outcome, decision.gate, decision.reason) == (Outcome.FAILED, "expiry", "no_expiry")
    assert "needs ttl_s" in decision.error


def test_a_live_notification_may_end_with_its_event() -> None:
    assert made(NOW, class_="live", expires=NOW + SECOND).outcome is Outcome.SENT


def test_the_end_of_time_is_no_error() -> None:
    far = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert made(NOW, ttl_s=3600, recorded=far).outcome is Outcome.SENT
