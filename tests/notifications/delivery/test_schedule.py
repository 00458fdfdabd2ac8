"""When it is tried again, and when not any more."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from notifications.delivery.schedule import DELAYS_S, LIFE, next_try, until

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
DICE = st.floats(0, 1)


def seconds(failed: int, retry_after_s: float | None = None, dice: float = 0) -> float | None:
    again = next_try(failed, NOW, retry_after_s, dice)
    return (again - NOW).total_seconds() if again else None


def test_delays_grow_and_all_tries_fit_into_the_life_of_a_delivery() -> None:
    assert sorted(DELAYS_S) == list(DELAYS_S)
    assert 0.9 < sum(DELAYS_S) / LIFE.total_seconds() < 1


def test_after_the_last_try_there_is_none() -> None:
    assert seconds(len(DELAYS_S)) == DELAYS_S[-1]
    assert seconds(len(DELAYS_S) + 1) is None


@given(st.integers(1, len(DELAYS_S)), DICE)
def test_jitter_shortens_by_a_fifth_at_most(failed: int, dice: float) -> None:
    delay = seconds(failed, dice=dice)
    assert delay is not None
    assert DELAYS_S[failed - 1] * 0.8 <= delay + 1e-5
    assert delay <= DELAYS_S[failed - 1]


@given(st.integers(1, len(DELAYS_S)), st.floats(0, 86_400), DICE)
def test_whatever_the_other_side_asks_for_is_waited_for(failed: int, asked: float, dice: float) -> None:
    delay = seconds(failed, asked, dice)
    assert delay is not None
    assert delay >= asked - 1e-5


def test_nothing_begins_after_the_expiry_nor_after_a_day() -> None:
    assert until(NOW, None) == NOW + LIFE
    assert until(NOW, NOW + timedelta(minutes=5)) == NOW + timedelta(minutes=5)
    assert until(NOW, NOW + timedelta(days=9)) == NOW + LIFE
