"""What a game accepts, remembered for a second."""

from typing import Any

import pytest

from events import games
from events.errors import InvalidEvent, UnknownGame
from events.lanes import Lane
from events.models import EventType, Game
from events.tenancy import create_game
from tests.events.clock import Clock
from tests.given import an_event, given_game

pytestmark = pytest.mark.django_db


@pytest.fixture
def game() -> Game:
    return given_game()


def refused_at(game: Game, **event: Any) -> list[str]:
    with pytest.raises(InvalidEvent) as refused:
        games.config_of(game.pk).lane_of(an_event(**event), "/7")
    return [pointer for pointer, _ in refused.value.errors]


@pytest.mark.parametrize("lane", list(Lane))
def test_an_event_goes_into_the_lane_of_its_type(game: Game, lane: Lane) -> None:
    EventType.objects.create(game=game, name="level.reached", lane=lane)
    config = games.config_of(game.pk)
    assert config.lane_of(an_event(type="level.reached"), "") is lane
    assert config.lane_of(an_event(type="level.reached.twice"), "") is Lane.NORMAL


def test_types_are_of_one_game(game: Game) -> None:
    EventType.objects.create(game=given_game(), name="level.reached", lane=Lane.BULK)
    assert games.config_of(game.pk).lane_of(an_event(type="level.reached"), "") is Lane.NORMAL


@pytest.mark.parametrize("strict", [True, False])
def test_players_own_events_are_always_accepted_and_urgent(strict: bool) -> None:
    game = given_game(strict=strict)
    EventType.objects.create(game=game, name="player.updated", lane=Lane.BULK)
    config = games.config_of(game.pk)
    assert {config.lane_of(an_event(type=name), "") for name in ("player.updated", "player.seen")} == {
        Lane.URGENT
    }


def test_a_strict_game_refuses_what_is_not_listed() -> None:
    game = given_game(strict=True)
    EventType.objects.create(game=game, name="level.reached")
    assert refused_at(game, type="level.lost") == ["/7/type"]
    assert games.config_of(game.pk).lane_of(an_event(type="level.reached"), "") is Lane.NORMAL


def test_a_players_own_event_is_held_to_its_schema_too(game: Game) -> None:
    EventType.objects.create(game=game, name="player.updated", schema={"required": ["locale"]})
    assert refused_at(game, type="player.updated", data={"player_id": "alice"}) == ["/7/data"]


def test_so_many_broken_rules_are_named_and_no_more(game: Game) -> None:
    EventType.objects.create(game=game, name="level.reached", schema={"items": {"type": "string"}})
    assert refused_at(game, data=list(range(100))) == [f"/7/data/{n}" for n in range(games.ERRORS_MAX)]


def test_a_change_counts_within_a_second(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(games, "time", clock)
    assert not games.config_of(game.pk).strict
    Game.objects.update(strict=True)
    clock.now += games.CACHE_S
    assert not games.config_of(game.pk).strict, "this process remembers it"
    clock.now += 0.01
    assert games.cached(game.pk) is None
    assert games.config_of(game.pk).strict


def test_a_change_counts_at_once_where_it_is_made_known(game: Game) -> None:
    other = given_game()
    games.config_of(other.pk)
    games.config_of(game.pk)
    Game.objects.update(strict=True)
    games.forget(game.pk)
    assert games.config_of(game.pk).strict
    assert not games.config_of(other.pk).strict
    games.forget()
    assert games.config_of(other.pk).strict


def test_a_remembered_game_takes_no_query(game: Game, django_assert_num_queries: Any) -> None:
    games.config_of(game.pk)
    with django_assert_num_queries(0):
        games.config_of(game.pk)


def test_an_unknown_game_is_named() -> None:
    with pytest.raises(UnknownGame, match="4711"):
        games.config_of(4711)


@pytest.mark.parametrize("partitions", [1, 8, 256])
def test_a_game_is_made_with_its_partitions(partitions: int) -> None:
    game = create_game("new", partitions=partitions)
    assert list(game.partition_rows.values_list("number", flat=True)) == list(range(partitions))
    assert game.name == "new"
