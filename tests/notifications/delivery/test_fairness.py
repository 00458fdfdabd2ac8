"""Endpoints that hang hold up nobody else's deliveries, not even before their circuits open."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from events.models import Game
from notifications.delivery import claim as claiming
from notifications.delivery import flights, turns
from notifications.delivery.channel import Letter
from notifications.delivery.flights import FEW, Flights
from notifications.models import Delivery
from tests.given import given_game
from tests.notifications.delivery.scene import (
    FOREVER,
    Holding,
    deliver,
    fresh,
    given_delivery,
    given_memory,
    now,
    outlet,
)
from tests.notifications.given import decide, given_levels, given_rule

pytestmark = pytest.mark.django_db(transaction=True)


def given_much(*games: Game) -> None:
    """Let each of them have more to bring than it gets places."""
    for game in games:
        given_rule(game, channels=["memory"])
        given_levels(game, *range(claiming.PER_OUTLET + 2))
    decide()


def test_however_many_outlets_take_all_that_they_may_the_next_one_finds_a_place() -> None:
    games = [given_game(partitions=1) for _ in range(5)]
    given_memory(*games)
    given_much(*games)
    taken = Counter(each.letter.game for each in claiming.claim(turns.SLOTS, now()))
    assert sorted(taken.values(), reverse=True) == [8, 8, 4, 2, 1]
    assert sum(taken.values()) < turns.SLOTS


def test_while_one_is_slow_the_turn_goes_on_with_all_others_beyond_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flights, "QUICK_S", 0.0)
    slow, quick = given_game(), given_game()
    holding = Holding()

    def answer(letter: Letter) -> None:
        if letter.game == slow.slug:
            holding(letter)
        holding.go.set()  # the quick one was brought: the slow one may end

    given_memory(slow, quick, faults=answer)
    given_delivery(slow)
    (claimed,) = claiming.claim(1, now())
    row = given_delivery(quick)
    with ThreadPoolExecutor(4) as pool:
        under_way = Flights(pool, turns.make)
        under_way.begin(claimed)
        assert holding.reached.acquire(timeout=FOREVER)
        turns._turn(under_way, end=0.0)
    assert fresh(row).state == "sent"


def test_a_new_or_slow_outlet_gets_few_places_and_a_quick_one_more_and_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    game = given_game()
    given_memory(game)
    given_much(game)
    outlet_id = outlet(game).pk
    with ThreadPoolExecutor(4) as pool:
        nothing = Flights(pool, turns.make)
        assert nothing.room(outlet_id) == FEW
        deliver()
        assert not Delivery.objects.exclude(state="sent").exists()
        assert nothing.room(outlet_id) == claiming.PER_OUTLET
        given_levels(game, 100)
        decide()
        monkeypatch.setattr(flights, "QUICK_S", 0.0)
        deliver()
        assert nothing.room(outlet_id) == FEW


def test_what_is_just_slow_makes_no_room_for_more_of_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game()
    holding = Holding()
    given_memory(game, faults=holding)
    given_much(game)
    outlet_id = outlet(game).pk
    monkeypatch.setitem(flights._windows, outlet_id, claiming.PER_OUTLET)
    claimed = claiming.claim(2 * FEW, now())
    assert len(claimed) == FEW
    with ThreadPoolExecutor(4) as pool:
        under_way = Flights(pool, turns.make)
        for each in claimed:
            under_way.begin(each)
        assert under_way.room(outlet_id) == claiming.PER_OUTLET - FEW
        monkeypatch.setattr(flights, "QUICK_S", 0.0)
        assert under_way.room(outlet_id) == 0
        holding.go.set()
