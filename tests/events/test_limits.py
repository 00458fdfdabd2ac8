"""When a lane is refused, and for how long: pure arithmetic."""

import pytest

from events import limits
from events.lanes import Lane
from events.limits import Backlog, Limit, contradictions, drained_in_s, jittered, refused

NONE = Limit()


def backlog(
    urgent: int = 0, normal: int = 0, bulk: int = 0, *, oldest_s: tuple[float, float, float] = (0, 0, 0)
) -> Backlog:
    return Backlog(hub="h", events=(urgent, normal, bulk), oldest_s=oldest_s, passed=(0, 0, 0))


def refused_lanes(work: Backlog, *, before: bool = False, events: int | None = 100) -> list[str]:
    return [lane.label for lane in Lane if refused(Limit(events=events), [work], lane, before=before)]


def test_a_heap_of_bulk_refuses_bulk_and_nothing_else() -> None:
    assert refused_lanes(backlog(bulk=1_000_000)) == ["bulk"]


def test_what_overtakes_a_lane_counts_for_it() -> None:
    assert refused_lanes(backlog(normal=101)) == ["normal", "bulk"]
    assert refused_lanes(backlog(urgent=101)) == ["urgent", "normal", "bulk"]
    assert refused_lanes(backlog(urgent=50, normal=50, bulk=1)) == ["bulk"]


@pytest.mark.parametrize(
    "work", [backlog(80, 30, 5), backlog(0, 150, 5), backlog(90, 90, 90), backlog(5, 5, 99)]
)
def test_no_lane_is_refused_before_a_less_urgent_one_whatever_waits(work: Backlog) -> None:
    by_lane = [Limit(events=140), Limit(events=100), Limit(events=100)]
    found = [refused(by_lane[lane], [work], lane, before=False) for lane in Lane]
    assert found == sorted(found)


def test_age_counts_as_events_do() -> None:
    limit = Limit(age_s=60)
    late = backlog(1, 1, 1, oldest_s=(0.1, 59.0, 61.0))
    assert [refused(limit, [late], lane, before=False) for lane in Lane] == [False, False, True]


def test_the_slowest_hub_decides() -> None:
    assert refused(Limit(events=10), [backlog(bulk=1), backlog(bulk=11)], Lane.BULK, before=False)


def test_without_a_limit_nothing_is_refused() -> None:
    assert not refused(NONE, [backlog(10**9, 10**9, 10**9, oldest_s=(9e9, 9e9, 9e9))], Lane.BULK, before=True)


def test_what_is_refused_stays_so_until_it_is_clearly_below_the_limit() -> None:
    assert refused_lanes(backlog(bulk=100)) == []
    assert refused_lanes(backlog(bulk=100), before=True) == ["bulk"]
    assert refused_lanes(backlog(bulk=81), before=True) == ["bulk"]
    assert refused_lanes(backlog(bulk=80), before=True) == []


@pytest.mark.parametrize(
    ("events", "rate", "seconds"),
    [
        (1_080, 100.0, 10.0),  # 1,000 too many
        (1_080, 500.0, 2.0),
        (1_080, 5.0, limits.LONGEST_S),
        (1_080, 1e9, limits.SHORTEST_S),
        (1_080, 0.0, limits.LONGEST_S),  # nothing moves
        (1_080, None, limits.UNKNOWN_S),  # nobody has measured yet
        (79, 0.0, limits.SHORTEST_S),  # the other limit holds it up, or nothing does
    ],
)
def test_the_wait_fits_the_rate_at_which_the_work_goes_down(
    events: int, rate: float | None, seconds: float
) -> None:
    assert drained_in_s(Limit(events=100), events, 0, rate) == seconds


def test_the_wait_for_an_age_is_for_the_part_that_is_too_old() -> None:
    """1,000 events came evenly within 100 s; those older than 40 s must go: 600 of them."""
    assert drained_in_s(Limit(age_s=50), 1_000, 100.0, 60.0) == pytest.approx(10.0)


def test_of_two_limits_the_one_that_takes_longer_counts() -> None:
    assert drained_in_s(Limit(events=1_000, age_s=50), 1_000, 100.0, 60.0) == pytest.approx(10.0)
    assert drained_in_s(Limit(events=100, age_s=500), 1_000, 100.0, 92.0) == pytest.approx(10.0)


def test_waits_are_spread_a_little_and_stay_within_bounds() -> None:
    found = {jittered(30.0) for _ in range(200)}
    assert len(found) > 3
    assert found <= set(range(27, 34))
    assert {jittered(0.1) for _ in range(20)} == {1}
    assert {jittered(60.0) for _ in range(50)} <= set(range(54, 61))


def by_lane(urgent: int | None, normal: int | None, bulk: int | None) -> list[Limit]:
    return [Limit(events=urgent), Limit(events=normal), Limit(events=bulk)]


@pytest.mark.parametrize(
    "good",
    [
        by_lane(3, 2, 1),
        by_lane(1, 1, 1),
        by_lane(None, None, None),
        by_lane(None, 2, 1),
        by_lane(None, None, 1),
    ],
)
def test_limits_that_rise_with_urgency_are_taken(good: list[Limit]) -> None:
    assert not list(contradictions(good))


@pytest.mark.parametrize(
    ("bad", "lane", "said"),
    [
        (by_lane(3, 1, 2), Lane.BULK, "must not be above 1; it is 2"),
        (by_lane(1, 2, 1), Lane.NORMAL, "must not be above 1; it is 2"),
        (by_lane(3, 2, None), Lane.BULK, "must not be above 2; it has none"),
        (by_lane(5, None, None), Lane.NORMAL, "must not be above 5; it has none"),
    ],
)
def test_limits_by_which_a_lane_would_go_before_a_less_urgent_one_are_refused(
    bad: list[Limit], lane: Lane, said: str
) -> None:
    [(at, what, sentence)] = contradictions(bad)
    assert (at, what) == (lane, "events")
    assert said in sentence
