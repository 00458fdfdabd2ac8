"""Replays are worked off in short steps, one worker at a time, in the pace that staff allow."""

from datetime import UTC, datetime, timedelta
from queue import Queue
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
import time_machine
from django.conf import settings
from django.db import OperationalError, connection
from structlog.testing import capture_logs

from events.hubs.registry import bulk_work
from events.models import Game, Replay
from events.replays import job, pace, work
from events.replays.job import Job, Stepped
from events.tasks import work_replays
from tests.events.replays.given import given_replay
from tests.given import given_game

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PATIENCE_S = 30


class Counting(Job):
    """Takes so many steps, of ten events each."""

    kind = "counting"
    title = "Counting"

    def __init__(self) -> None:
        self.steps = 5
        self.seen: list[tuple[int, int]] = []
        self.fails: list[Exception] = []
        self.held: Flag | None = None
        self.reached = Flag()

    def begin(self, replay: Replay) -> None:
        replay.total = self.steps * 10

    def work(self, replay: Replay, prepared: Any) -> Stepped:
        assert connection.in_atomic_block
        if self.held:
            self.reached.set()
            assert self.held.wait(PATIENCE_S)
        if self.fails:
            raise self.fails.pop(0)
        self.seen.append((replay.pk, replay.turn))
        replay.done += 10
        return Stepped(read=10, over=replay.done >= replay.total)


@pytest.fixture
def counting() -> Any:
    made = Counting()
    job.register(made)
    yield made
    del job._jobs[made.kind]


@pytest.fixture
def game() -> Game:
    return given_game()


def given_counting(game: Game, **fields: Any) -> Replay:
    return given_replay(game, "counting", target="all", **fields)


@pytest.mark.usefixtures("counting")
def test_a_replay_goes_step_by_step_until_it_is_over(game: Game) -> None:
    replay = given_counting(game)
    assert (replay.state, replay.total) == ("waiting", 50)
    assert not work.work_for(30)
    replay.refresh_from_db()
    assert (replay.state, replay.done, replay.turn) == ("done", 50, 5)
    assert replay.started
    assert replay.finished
    assert replay.rate == replay.pace == 0


def test_several_go_by_turns(game: Game, counting: Counting) -> None:
    first, second = given_counting(game), given_counting(game)
    work.work_for(30)
    assert [pk for pk, _ in counting.seen[:4]] == [first.pk, second.pk, first.pk, second.pk]


@pytest.mark.usefixtures("counting")
def test_the_bulk_lane_s_workers_and_beat_work_replays_off(game: Game) -> None:
    assert work.beside_bulk in bulk_work()
    assert "events.work_replays" in {each["task"] for each in settings.CELERY_BEAT_SCHEDULE.values()}
    first = given_counting(game)
    work_replays()
    second = given_counting(game)
    for _ in range(60):
        assert not work.beside_bulk(30), "it never asks for another turn"
    assert {first.pk, second.pk} == {replay.pk for replay in Replay.objects.filter(state="done")}


def test_a_step_that_somebody_else_has_done_meanwhile_is_not_done_again(
    game: Game, counting: Counting
) -> None:
    replay = given_counting(game)
    slow = Replay.objects.get(pk=replay.pk)
    assert work.step(replay)
    assert not work.step(slow)
    assert counting.seen == [(replay.pk, 0)]


@pytest.mark.services
def test_a_replay_that_is_held_is_left_and_the_next_is_taken(game: Game, counting: Counting) -> None:
    first = given_counting(game)
    counting.held = Flag()
    problems: Queue[Exception] = Queue()

    def hold() -> None:
        try:
            assert work.step(Replay.objects.get(pk=first.pk))
        except Exception as error:  # noqa: BLE001 - handed to the test
            problems.put(error)
        finally:
            connection.close()

    thread = Thread(target=hold, daemon=True)
    thread.start()
    assert counting.reached.wait(PATIENCE_S)
    held, counting.held = counting.held, None
    second = given_counting(game)
    assert not work.work_for(PATIENCE_S), "nothing is left that nobody is at"
    second.refresh_from_db()
    assert second.state == "done"
    held.set()
    thread.join(PATIENCE_S)
    assert problems.empty(), problems.get()
    assert [turn for pk, turn in counting.seen if pk == first.pk] == [0]


# -- pace -----------------------------------------------------------------------------------------


def test_the_limit_holds_over_time_and_a_pause_is_made_up_for_within_bounds(
    game: Game, counting: Counting
) -> None:
    counting.steps = 1_000
    with time_machine.travel(NOON, tick=False) as clock:
        replay = given_counting(game, rate_limit=100)
        steps = []
        for _ in range(40):
            before = len(counting.seen)
            while work.work_for(0.001):
                pass
            steps.append(len(counting.seen) - before)
            clock.shift(timedelta(seconds=0.5))
        assert sum(steps) * 10 <= 100 * 20 + 10
        assert sum(steps) * 10 >= 100 * 19
        replay.refresh_from_db()
        assert replay.rate == pytest.approx(100, abs=20)
        clock.shift(timedelta(hours=1))
        before = len(counting.seen)
        while work.work_for(0.001):
            pass
        assert (len(counting.seen) - before) * 10 == pytest.approx(100 * pace.BURST_S, abs=20)
    replay.refresh_from_db()
    assert replay.state == "running"


def test_the_time_that_is_left_follows_the_pace(game: Game, counting: Counting) -> None:
    counting.steps = 100
    with time_machine.travel(NOON, tick=False) as clock:
        replay = given_counting(game)
        assert pace.seconds_left(replay) is None
        for _ in range(5):
            assert work.step(Replay.objects.get())
            clock.shift(timedelta(seconds=1))
        replay.refresh_from_db()
        assert replay.rate == pytest.approx(10, rel=0.6)
        assert pace.seconds_left(replay) == pytest.approx(950 / replay.pace)


def test_a_step_reads_no_more_than_a_second_s_worth() -> None:
    assert pace.at_once(Replay(rate_limit=7), 100) == 7
    assert pace.at_once(Replay(rate_limit=700), 100) == 100
    assert pace.at_once(Replay(), 100) == 100


# -- failures -------------------------------------------------------------------------------------


def test_three_failures_in_a_row_wait_for_somebody_to_look(game: Game, counting: Counting) -> None:
    replay, other = given_counting(game), given_counting(game)
    counting.fails = [KeyError("alice's secret")] * 5
    with time_machine.travel(datetime.now(UTC), tick=False) as clock, capture_logs() as logs:
        for _ in range(3):
            work._attempt(Replay.objects.get(pk=replay.pk))
            clock.shift(timedelta(seconds=work.AGAIN_S))
        counting.fails.clear()
        work.work_for(30)
    replay.refresh_from_db()
    other.refresh_from_db()
    assert (replay.state, replay.error, replay.tries) == ("failed", "KeyError", 3)
    assert other.state == "done"
    assert "secret" not in str(logs) + replay.error


def test_a_fault_that_passes_counts_as_none(game: Game, counting: Counting) -> None:
    replay = given_counting(game)
    counting.fails = [OperationalError("server closed the connection")] * 7
    with time_machine.travel(datetime.now(UTC), tick=False) as clock:
        for _ in range(8):
            work.work_for(30)
            clock.shift(timedelta(seconds=2))
    replay.refresh_from_db()
    assert (replay.state, replay.tries) == ("done", 0)


@pytest.mark.usefixtures("counting")
def test_a_kind_that_this_release_does_not_know_fails_and_holds_up_nobody(game: Game) -> None:
    Replay.objects.create(game=game, kind="of tomorrow", target="x", reason="")
    other = given_counting(game)
    work.work_for(1)
    other.refresh_from_db()
    assert other.state == "done"
    assert job.title_of(Replay.objects.get(kind="of tomorrow")) == "of tomorrow"
