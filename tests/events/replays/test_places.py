"""From where to where: times and places are found in the log without walking it."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.errors import ReplayRefused
from events.lanes import Lane
from events.log.replaying import offset_before, places
from events.models import Game, Partition
from events.replays.places import Spot, bounds_between, length, spot_of
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def game() -> Game:
    """A game with an event in each of forty minutes from noon on."""
    game = given_game(partitions=1)
    with time_machine.travel(NOON, tick=False) as clock:
        for number in range(40):
            given_events(game, an_event(stream=f"s{number}"), lane=Lane.URGENT if number % 2 else Lane.BULK)
            clock.shift(timedelta(minutes=1))
    return game


@pytest.mark.parametrize(
    ("text", "spot"),
    [
        ("", Spot()),
        (" 3:12 ", Spot(partition=3, offset=12)),
        ("2026-11-24T12:00", Spot(moment=NOON)),
        ("2026-11-24T14:00+02:00", Spot(moment=NOON)),
        ("2026-11-24", Spot(moment=NOON.replace(hour=0))),
    ],
)
def test_a_time_or_a_place_may_be_typed(text: str, spot: Spot) -> None:
    assert spot_of(text) == spot


@pytest.mark.parametrize("text", ["noon", "1:2:3", "2026-13-01", "-1:4", "1:" + "9" * 30, "12:60:99"])
def test_what_is_neither_is_refused_by_name(text: str) -> None:
    with pytest.raises(ReplayRefused, match="neither a time such as") as refused:
        spot_of(text, "begins")
    assert refused.value.field == "begins"


@pytest.mark.parametrize("minute", [-5, 0, 1, 17, 39, 40, 500])
def test_a_time_is_found_by_halving(game: Game, minute: int) -> None:
    partition = Partition.objects.get(game=game)
    with CaptureQueriesContext(connection) as queries:
        found = offset_before(partition.pk, NOON + timedelta(minutes=minute), partition.head)
    assert found == min(40, max(0, minute))
    assert len(queries) <= 7


def test_bounds_are_what_lies_between_and_was_processed(game: Game) -> None:
    (partition,) = Partition.objects.filter(game=game).values_list("pk", flat=True)
    name, everything = str(partition), {partition: 40}

    def bounds(begins: str, ends: str, reach: dict[int, int] = everything) -> object:
        return bounds_between(game.pk, spot_of(begins), spot_of(ends), reach)

    assert bounds("", "") == {name: [0, 40]}
    assert bounds("", "", {partition: 30}) == {name: [0, 30]}
    assert bounds("", "", {}) == {}
    assert bounds("0:7", "0:9") == {name: [6, 9]}
    assert bounds("2026-11-24T12:10", "2026-11-24T12:20") == {name: [10, 20]}
    assert bounds("0:39", "0:7") == {}
    assert length({"1": [6, 9], "2": [0, 4]}) == 7


def test_a_partition_that_is_not_there_and_two_partitions_are_refused(game: Game) -> None:
    with pytest.raises(ReplayRefused, match="no partition 7; this game's go from 0 to 0"):
        bounds_between(game.pk, Spot(partition=7), Spot(), {})
    with pytest.raises(ReplayRefused, match="in the same partition"):
        bounds_between(game.pk, Spot(partition=0), Spot(partition=1), {})


def test_places_are_those_of_the_lanes_within_the_bounds(game: Game) -> None:
    partition = Partition.objects.get(game=game).pk
    assert [each.offset for each in places(partition, [Lane.URGENT], 3, 9, 10)] == [4, 6, 8]
    assert [each.offset for each in places(partition, [Lane.URGENT, Lane.BULK], 3, 9, 4)] == [4, 5, 6, 7]
    assert [each.offset for each in places(partition, list(Lane), 38, 99, 10)] == [39, 40]
