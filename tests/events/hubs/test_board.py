"""What the Hubs screen tells, and what pausing does."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from events.hubs import board, registry, sampling
from events.hubs import claim as claims
from events.hubs.board import Row, Spot
from events.hubs.pausing import pause, resume
from events.hubs.run import run
from events.hubs.sampling import course, trend
from events.lanes import Lane
from events.models import Checkpoint, Game, LaneSample, OutboxEvent
from tests.events.hubs.conftest import MakeHub
from tests.events.hubs.recording import Recording
from tests.given import an_event, given_events, given_game, hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)

NOW = 1_800_000_000.0


def row_of(lane: Lane, hub: str = "recorder") -> Row:
    return next(row for row in board.rows() if (row.hub, row.lane) == (hub, lane))


def spot_of(lane: Lane) -> Spot:
    checkpoint = Checkpoint.objects.get(lane=lane)
    return board.spots([checkpoint.pk])[checkpoint.pk]


def long_ago(seconds: float = 3_600) -> None:
    """Let everything have happened that long ago."""
    moment = timezone.now() - timedelta(seconds=seconds)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_event SET recorded = %s", [connection.ops.adapt_datetimefield_value(moment)]
        )
    Checkpoint.objects.update(advanced=moment)


# -- what is told ---------------------------------------------------------------------------------


def test_a_lane_is_told_in_sum(recording_hub: MakeHub) -> None:
    game = given_game(partitions=4)
    recording_hub()
    given_events(game, *[an_event() for _ in range(40)])
    row = row_of(Lane.NORMAL)
    assert (row.partitions, row.waiting, row.events, row.passed, row.state) == (4, 4, 40, 0, "behind")
    hubs_catch_up()
    row = row_of(Lane.NORMAL)
    assert (row.waiting, row.events, row.passed, row.state) == (0, 0, 40, "up to date")


def test_a_checkpoint_is_told_with_its_head_and_its_lag(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, *[an_event() for _ in range(3)], lane=Lane.BULK)
    given_events(game, an_event(), an_event())
    spot = spot_of(Lane.NORMAL)
    assert (spot.position, spot.head, spot.events, spot.state) == (0, 5, 2, "behind")
    hubs_catch_up()
    spot = spot_of(Lane.NORMAL)
    assert (spot.position, spot.events, spot.passed, spot.state) == (5, 0, 2, "up to date")
    assert spot.holder == claims.holder()


def test_whoever_works_on_it_is_told(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, an_event())
    assert claims.take("recorder", Lane.NORMAL, 100, set())
    spot = spot_of(Lane.NORMAL)
    assert (spot.held, spot.state, spot.holder) == (True, "working", claims.holder())


@pytest.mark.parametrize("lane", list(Lane))
def test_work_that_waits_without_a_move_is_stalled(recording_hub: MakeHub, lane: Lane) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, an_event(), lane=lane)
    long_ago()
    assert (spot_of(lane).state, row_of(lane).stalled, row_of(lane).state) == ("stalled", 1, "stalled")


def test_an_idle_checkpoint_is_not_stalled_by_its_first_event(recording_hub: MakeHub) -> None:
    """It has not moved for an hour because there was nothing to do."""
    game = given_game(partitions=1)
    recording_hub()
    long_ago()
    given_events(game, an_event())
    assert (spot_of(Lane.NORMAL).state, row_of(Lane.NORMAL).stalled) == ("behind", 0)


def test_a_backlog_that_moves_is_not_stalled(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, an_event())
    long_ago()
    Checkpoint.objects.update(advanced=timezone.now())
    assert (spot_of(Lane.NORMAL).state, row_of(Lane.NORMAL).stalled) == ("behind", 0)


def test_what_is_paused_is_not_stalled(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, an_event())
    long_ago()
    Checkpoint.objects.update(paused=True)
    row = row_of(Lane.NORMAL)
    assert (spot_of(Lane.NORMAL).state, row.stalled, row.paused, row.state) == ("paused", 0, 1, "paused")


def test_the_board_costs_the_same_whatever_there_is(recording_hub: MakeHub) -> None:
    recording_hub()
    with CaptureQueriesContext(connection) as few:
        board.rows()
    for _ in range(5):
        given_events(given_game(partitions=4), *[an_event() for _ in range(40)])
    with CaptureQueriesContext(connection) as many:
        board.rows()
    assert len(many) == len(few) == 4
    ids = list(Checkpoint.objects.values_list("pk", flat=True)[:25])
    with CaptureQueriesContext(connection) as single:
        assert len(board.spots(ids)) == 25
    assert len(single) == 1


# -- where it is going ------------------------------------------------------------------------------


def test_one_sample_is_kept_of_each_five_seconds_whoever_offers_it(recording_hub: MakeHub) -> None:
    given_game(partitions=2)
    recording_hub()
    assert sampling.sample(NOW)
    assert not sampling.sample(NOW + 1)
    sampling.forget()  # another process
    assert not sampling.sample(NOW + 2)
    assert LaneSample.objects.count() == len(Lane)
    assert sampling.sample(NOW + 5)
    assert LaneSample.objects.count() == 2 * len(Lane)


def test_samples_go_after_ten_minutes(recording_hub: MakeHub) -> None:
    given_game(partitions=1)
    recording_hub()
    sampling.sample(NOW)
    sampling.sample(NOW + sampling.KEPT_S + sampling.TICK_S)
    assert LaneSample.objects.count() == len(Lane)


def test_rate_and_trend_are_there_at_once(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, *[an_event() for _ in range(200)])
    ten_seconds_ago = datetime.now(UTC).timestamp() - 10
    sampling.sample(ten_seconds_ago)
    assert row_of(Lane.NORMAL).course.trend == "steady"
    run("recorder", Lane.NORMAL)
    row = row_of(Lane.NORMAL)
    assert row.course.trend == "shrinking"
    assert row.course.rate is not None
    assert 0 < row.course.rate <= 20  # 200 in ten seconds or a little more
    assert row.curve == (200,)
    given_events(game, *[an_event() for _ in range(300)])
    assert row_of(Lane.NORMAL).course.trend == "growing"


def test_a_rate_is_over_the_last_half_minute_and_a_trend_over_the_last_minute() -> None:
    now = datetime(2026, 11, 25, 12, tzinfo=UTC)
    history = [
        LaneSample(hub="h", lane=Lane.NORMAL, at=now - timedelta(seconds=age), passed=passed, events=events)
        for age, passed, events in (
            (300, 0, 9_999),
            (60, 100, 500),
            (30, 1_000, 500),
            (5, 1_600, 100),
            (0, 1_600, 100),
        )
    ]
    assert course(history, now, 1_600, 100) == sampling.Course(rate=20.0, trend="shrinking")
    assert course(history[3:], now, 1_700, 100) == sampling.Course(rate=20.0, trend="steady")
    assert course(history[:1], now, 1_600, 100) == sampling.Course(rate=None, trend="")


def test_without_a_history_neither_is_told() -> None:
    assert course([], datetime.now(UTC), 10, 10) == sampling.Course(rate=None, trend="")


@pytest.mark.parametrize(
    ("before", "now", "said"),
    [
        (0, 10, "steady"),
        (0, 11, "growing"),
        (1_000, 1_050, "steady"),
        (1_000, 949, "shrinking"),
        (5, 0, "steady"),
    ],
)
def test_a_small_change_is_none(before: int, now: int, said: str) -> None:
    assert trend(before, now) == said


# -- pausing ----------------------------------------------------------------------------------------


def own_events(hub: Recording, game: Game) -> int:
    """Count what a hub has seen of a test's own events; what staff did is an event too."""
    return sum(stream != "staff" for stream, _ in hub.seen(game.pk))


def test_paused_checkpoints_wait_and_go_on_when_they_may(recording_hub: MakeHub) -> None:
    game = given_game(partitions=4)
    hub = recording_hub()
    rows = list(Checkpoint.objects.filter(lane=Lane.NORMAL))
    assert pause(rows, "olive", "deploy") == 4
    given_events(game, an_event(), an_event())
    given_events(game, an_event(), lane=Lane.URGENT)
    hubs_catch_up()
    assert own_events(hub, game) == 1
    assert resume(rows, "olive", "deployed") == 4
    hubs_catch_up()
    assert own_events(hub, game) == 3


def test_only_what_changes_is_counted_and_told(recording_hub: MakeHub) -> None:
    game = given_game(partitions=3)
    recording_hub()
    rows = list(Checkpoint.objects.filter(lane=Lane.BULK).order_by("partition__number"))
    assert pause(rows[:1], "olive", "one") == 1
    assert pause(rows, "olive", "all") == 2
    assert pause(rows, "olive", "again") == 0
    told = [
        (row.type, orjson.loads(row.data))
        for row in OutboxEvent.objects.filter(game=game, type__startswith="staff.").order_by("id")
    ]
    assert told == [
        (
            "staff.hub.paused",
            {"by": "olive", "hub": "recorder", "lane": "bulk", "partitions": numbers, "reason": reason},
        )
        for numbers, reason in (([0], "one"), ([1, 2], "all"))
    ]


def test_a_pause_between_note_and_work_takes_the_work_back(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    hub = recording_hub()
    given_events(game, an_event())
    claim = claims.take("recorder", Lane.NORMAL, 100, set())
    assert claim
    pause(list(Checkpoint.objects.filter(lane=Lane.NORMAL)), "olive", "now")
    assert not claims.hold(claim)
    run("recorder", Lane.NORMAL)
    assert hub.seen(game.id) == []
    assert registry.hub("recorder")
