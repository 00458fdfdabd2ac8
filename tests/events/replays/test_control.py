"""What staff do to replays takes effect with the next step, and is an event in the log."""

from typing import Any

import orjson
import pytest

from events import outbox
from events.models import Event, Game, Replay
from events.replays import control, work
from tests.events.replays.given import given_replay, worked_off
from tests.events.replays.test_work import Counting, counting, given_counting  # noqa: F401 - a fixture
from tests.given import given_game

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game() -> Game:
    return given_game()


def noted(game: Game) -> list[tuple[str, dict[str, Any]]]:
    outbox.flush()
    rows = Event.objects.filter(game=game, stream="staff").order_by("version")
    return [(row.type, orjson.loads(row.data or "null")) for row in rows]


@pytest.fixture
def replay(game: Game, counting: Counting) -> Replay:  # noqa: F811, ARG001 - the fixture, by its name
    replay = given_counting(game)
    work.step(replay)
    return Replay.objects.get()


def test_a_paused_replay_stands_until_it_is_resumed(replay: Replay) -> None:
    assert control.pause([replay], "olive", "too hot") == 1
    assert not work.work_for(1)
    assert not work.step(replay), "not even a step that was prepared before"
    assert Replay.objects.get().done == 10
    assert control.pause([replay], "olive", "again") == 0
    assert control.resume([replay], "olive", "cooler") == 1
    work.work_for(30)
    assert Replay.objects.get().state == "done"


def test_a_cancelled_replay_is_over_for_good(replay: Replay) -> None:
    assert control.cancel([replay], "olive", "wrong game") == 1
    work.work_for(1)
    row = Replay.objects.get()
    assert (row.state, row.done) == ("cancelled", 10)
    assert row.finished
    assert control.resume([replay], "olive", "no") == control.cancel([replay], "olive", "no") == 0
    assert not control.change_rate(replay, 5, "olive", "no")


def test_a_failed_replay_goes_on_where_it_stood(replay: Replay) -> None:
    Replay.objects.update(state="failed", tries=3, error="KeyError")
    assert control.resume([replay], "olive", "mended") == 1
    work.work_for(30)
    row = Replay.objects.get()
    assert (row.state, row.done, row.error) == ("done", 50, "")


def test_a_changed_limit_counts_from_the_next_step(replay: Replay) -> None:
    assert control.change_rate(replay, 7, "olive", "quietly")
    assert work.step(replay), "it was prepared before"
    row = Replay.objects.get()
    assert row.rate_limit == 7
    assert row.due > row.advanced


def test_each_lever_is_an_event_with_who_and_why(replay: Replay, game: Game) -> None:
    control.pause([replay], "olive", "hot")
    control.resume([replay], "petra", "cool")
    control.change_rate(replay, 9, "olive", "slow")
    control.cancel([replay], "olive", "enough")
    told = [(kind, facts["by"], facts["reason"]) for kind, facts in noted(game)]
    assert told == [
        ("staff.replay.started", "olive", "to see"),
        ("staff.replay.paused", "olive", "hot"),
        ("staff.replay.resumed", "petra", "cool"),
        ("staff.replay.rate_changed", "olive", "slow"),
        ("staff.replay.cancelled", "olive", "enough"),
    ]
    assert noted(game)[0][1]["target"] == "all"
    assert noted(game)[3][1]["limit"] == 9


def test_what_is_over_stays_as_it_is(game: Game) -> None:
    replay = worked_off(given_replay(game))
    assert control.pause([replay], "olive", "x") == control.cancel([replay], "olive", "x") == 0
    assert Replay.objects.get().state == "done"
