"""Back-pressure: measured off the request's path, shared by a row, ended by itself."""

import itertools
import re
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from config.console import pulse
from events import pressure
from events.errors import Overloaded
from events.hubs import registry
from events.hubs.run import step_once
from events.lanes import Lane
from events.models import Checkpoint, EventType, Game, RefusedLane
from tests.events.api.server import GameServer
from tests.events.envelope.requests import BATCH, members
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.given import an_event, given_events, given_game, hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)

UNLIMITED = {f"{lane.label}_lag_{what}": None for lane in Lane for what in ("events", "age_s")}


@pytest.fixture(autouse=True)
def _only_tests_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no thread, so that every finding is one that a test has asked for."""
    monkeypatch.setattr(pressure, "_start", lambda: None)


@pytest.fixture
def game(recording_hub: MakeHub) -> Game:  # noqa: F811 - the fixture
    """One that a single hub follows, with low limits."""
    recording_hub()
    return limited_game(bulk_lag_events=10, normal_lag_events=20, urgent_lag_events=30)


def limited_game(**limits: int) -> Game:
    return given_game(partitions=2, **{**UNLIMITED, **limits})


def given_work(game: Game, lane: Lane, events: int) -> None:
    given_events(game, *[an_event() for _ in range(events)], lane=lane)


def looked(game: Game) -> dict[str, int]:
    """Look, and return the events that lie before each lane that is refused."""
    pressure.look([game.pk])
    return {each.lane.label: each.events for each in pressure.refusals(game.pk).values()}


def test_bulk_is_refused_first_then_normal_and_urgent_last(game: Game) -> None:
    given_work(game, Lane.NORMAL, 10)
    assert looked(game) == {}
    given_work(game, Lane.BULK, 1)
    assert looked(game) == {"bulk": 11}
    given_work(game, Lane.NORMAL, 11)
    assert looked(game) == {"normal": 21, "bulk": 22}
    given_work(game, Lane.URGENT, 30)
    assert looked(game) == {"normal": 51, "bulk": 52}
    given_work(game, Lane.URGENT, 1)
    assert looked(game) == {"urgent": 31, "normal": 52, "bulk": 53}


def test_it_ends_when_the_hub_has_worked_it_off(game: Game) -> None:
    given_work(game, Lane.BULK, 11)
    assert looked(game) == {"bulk": 11}
    hubs_catch_up()
    assert looked(game) == {}
    assert not RefusedLane.objects.exists()


def test_since_when_is_kept_while_it_lasts_whoever_looks(game: Game) -> None:
    given_work(game, Lane.BULK, 11)
    looked(game)
    hour_ago = timezone.now() - timedelta(hours=1)
    RefusedLane.objects.update(since=hour_ago)
    pressure.forget()  # another process
    looked(game)
    assert pressure.refusals(game.pk)[Lane.BULK].since == hour_ago


def test_the_slowest_hub_decides(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    recording_hub("fast")
    recording_hub("slow")
    game = limited_game(bulk_lag_events=10)
    given_work(game, Lane.BULK, 11)
    hubs_catch_up(["fast"])
    assert looked(game) == {"bulk": 11}
    assert pressure.refusals(game.pk)[Lane.BULK].hub == "slow"


def test_age_counts_too(recording_hub: MakeHub, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811 - the fixture
    recording_hub()
    game = limited_game(bulk_lag_age_s=60)
    given_work(game, Lane.BULK, 1)
    assert looked(game) == {}
    monkeypatch.setattr("events.hubs.backlogs.age_of", lambda recorded: 61.0 if recorded else 0.0)
    assert looked(game) == {"bulk": 1}


def test_one_games_work_is_none_of_anothers_business(game: Game) -> None:
    other = limited_game(bulk_lag_events=10)
    given_work(other, Lane.BULK, 11)
    assert looked(game) == {}
    assert looked(other) == {"bulk": 11}


def test_what_staff_have_paused_is_no_overload(game: Game) -> None:
    given_work(game, Lane.BULK, 11)
    Checkpoint.objects.update(paused=True)
    assert looked(game) == {}


def test_a_new_hub_that_reads_history_is_no_overload(game: Game, recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    given_work(game, Lane.BULK, 11)
    hubs_catch_up(["recorder"])
    recording_hub("late")
    assert looked(game) == {}
    hubs_catch_up(["late"])
    given_work(game, Lane.BULK, 11)
    hubs_catch_up(["recorder"])
    assert looked(game) == {"bulk": 11}


def test_a_hub_that_is_gone_holds_nobody_up(game: Game, recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    """Its checkpoints stay, and stand still for ever."""
    recording_hub("gone")
    registry.unregister("gone")
    given_work(game, Lane.BULK, 11)
    hubs_catch_up(["recorder"])
    assert looked(game) == {}


def test_without_limits_nothing_is_measured(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    recording_hub()
    game = limited_game()
    given_work(game, Lane.BULK, 50)
    with CaptureQueriesContext(connection) as queries:
        assert looked(game) == {}
    assert not [query["sql"] for query in queries if "events_checkpoint" in query["sql"]]


def test_a_look_costs_three_queries_whatever_waits(game: Game) -> None:
    given_work(game, Lane.BULK, 300)
    others = [limited_game(bulk_lag_events=10) for _ in range(5)]
    looked(game)
    with CaptureQueriesContext(connection) as queries:
        pressure.look([game.pk, *[other.pk for other in others]])
    assert len(queries) == 3


def test_a_question_costs_no_query(game: Game) -> None:
    given_work(game, Lane.BULK, 11)
    looked(game)
    with CaptureQueriesContext(connection) as queries:
        assert pressure.refusals(game.pk)
    assert len(queries) == 0


def test_the_wait_follows_the_measured_rate(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    """One batch of 100 is done between two looks, ten seconds apart: 10 events a second."""
    given_work(game, Lane.BULK, 308)
    now = [1_000.0]
    monkeypatch.setattr(pressure.time, "monotonic", lambda: now[0])
    looked(game)
    before = Checkpoint.objects.filter(lane=Lane.BULK).values_list("passed", flat=True)
    assert sum(before) == 0
    assert pressure.refusals(game.pk)[Lane.BULK].wait_s == 5.0  # unknown yet
    step_once(registry.hub("recorder"), Lane.BULK)
    done = sum(before.all())
    now[0] += 10
    looked(game)
    left = 308 - done
    assert pressure.refusals(game.pk)[Lane.BULK].wait_s == pytest.approx((left - 8) / (done / 10))


def test_a_hub_that_stands_still_sends_everybody_away_for_longest(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_work(game, Lane.BULK, 11)
    now = [1_000.0]
    monkeypatch.setattr(pressure.time, "monotonic", lambda: now[0])
    looked(game)
    now[0] += 2
    looked(game)
    assert pressure.refusals(game.pk)[Lane.BULK].wait_s == 60.0


def test_an_old_finding_refuses_nobody(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever keeps the thread from looking must not keep events from the log."""
    given_work(game, Lane.BULK, 11)
    now = [1_000.0]
    monkeypatch.setattr(pressure.time, "monotonic", lambda: now[0])
    looked(game)
    now[0] += pressure.STALE_S
    assert pressure.refusals(game.pk)
    now[0] += 0.1
    assert not pressure.refusals(game.pk)


def test_a_look_that_fails_changes_nothing(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_games: object) -> Any:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(pressure, "backlogs_of", fails)
    given_work(game, Lane.BULK, 11)
    pressure._look_once([game.pk])
    assert not pressure.refusals(game.pk)


def test_what_nobody_asks_for_any_more_ends_too(game: Game) -> None:
    given_work(game, Lane.BULK, 11)
    looked(game)
    assert [each.lane for each in pressure.standing()] == [Lane.BULK]
    hubs_catch_up()
    pressure.forget()
    assert pressure.standing() == []
    assert not RefusedLane.objects.exists()


def test_whoever_is_admitted_alone_is_told_when_to_come_back(game: Game) -> None:
    pressure.admit(game.pk, Lane.BULK)
    given_work(game, Lane.BULK, 11)
    looked(game)
    pressure.admit(game.pk, Lane.NORMAL)
    with pytest.raises(Overloaded, match="bulk events are refused at the moment") as told:
        pressure.admit(game.pk, Lane.BULK)
    assert 1 <= told.value.retry_after_s <= 60


def test_the_front_page_says_whose_lanes_are_refused_and_since_when(game: Game) -> None:
    given_work(game, Lane.NORMAL, 21)
    looked(game)
    RefusedLane.objects.update(since=timezone.now() - timedelta(minutes=5))
    pulse.forget()
    told = [each["text"] for each in pulse.measure()["warnings"] if "refused" in each["text"]]
    assert [re.sub(r"\d+ s\.", "some s.", each) for each in told] == [
        f"Bulk and normal events of {game.slug} are refused since 5 min: the hub recorder has 21 events to work off,"
        " the oldest waits for some s."
    ]
    hubs_catch_up()
    pulse.forget()
    assert not [each for each in pulse.measure()["warnings"] if "refused" in each["text"]]


class TestTheThread:
    """It looks while anybody asks, and not for longer."""

    @pytest.fixture(autouse=True)
    def _it_runs(self, monkeypatch: pytest.MonkeyPatch, _only_tests_look: None) -> Iterator[None]:
        monkeypatch.undo()
        monkeypatch.setattr(pressure, "LOOK_S", 0.01)
        yield
        pressure.forget()

    def test_the_first_question_starts_it_and_a_later_one_knows(self, game: Game) -> None:
        given_work(game, Lane.BULK, 11)
        assert until(lambda: Lane.BULK in pressure.refusals(game.pk))
        assert sum(thread.name == "pressure" for thread in threading.enumerate()) == 1

    def test_a_game_server_meets_it(self, game: Game) -> None:
        server = GameServer(game)
        EventType.objects.create(game=game, name="bulk.thing.happened", lane=Lane.BULK)
        numbers = itertools.count()

        def post(count: int) -> int:
            items = [members(id=f"e{next(numbers)}", type="bulk.thing.happened") for _ in range(count)]
            return int(server.post(items, BATCH).status_code)

        assert post(11) == 200
        assert until(lambda: post(1) == 429)
        hubs_catch_up()
        assert until(lambda: post(1) == 200)

    def test_it_ends_when_nobody_asks_and_begins_anew(
        self, game: Game, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(pressure, "ASKED_S", 0.05)
        given_work(game, Lane.BULK, 11)
        pressure.refusals(game.pk)
        assert until(lambda: not any(each.name == "pressure" for each in threading.enumerate()))
        assert until(lambda: Lane.BULK in pressure.refusals(game.pk))


def until(claim: Any, seconds: float = 10.0) -> bool:
    """Wait for something that another thread does."""
    end = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > end:
            return False
        time.sleep(0.005)
    return True
