"""How much one transaction takes, what it locks, and what it costs."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.hubs import registry
from events.hubs.run import step_once
from events.lanes import Lane
from events.log.read import batch
from events.models import Game, Partition
from notifications.decisions.projection import PLAYERS_A_BATCH, Decisions
from notifications.models import FanOut
from players.known import ensure
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.given import counters, decide, decisions, given_levels, given_rule, player

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game() -> Game:
    return given_game(partitions=2)


def given_batch(game: Game, *envelopes: Any) -> list[Any]:
    """Append to one partition and return what a hub would read."""
    given_events(game, *envelopes)
    ids = Partition.objects.filter(game=game).values_list("id", flat=True)
    return [event for partition in ids for event in batch(partition, Lane.NORMAL, 0, 1_000)]


def test_only_the_players_of_decisions_are_locked(game: Game) -> None:
    """A lock writes to the row: most events concern no rule, and must not cost that."""
    given_rule(game)
    events = given_batch(
        game, an_event(data={"player_id": "alice"}), an_event(type="coin.found", data={"player_id": "bob"})
    )
    prepared = Decisions().prepare(events)
    assert prepared.locks == {player(game, "alice").id}
    assert player(game, "bob")


def test_a_transaction_takes_as_many_events_as_make_a_hundred_decisions(game: Game) -> None:
    given_rule(game)
    given_rule(game, words={"en": ("again", "")})
    events = given_batch(game, *[an_event(data={"player_id": "alice", "level": n}) for n in range(120)])
    assert Decisions().prepare(events).take == PLAYERS_A_BATCH // 2


def test_events_without_any_decision_are_all_taken(game: Game) -> None:
    events = given_batch(game, *[an_event(data={"player_id": f"p{n}"}) for n in range(150)])
    assert Decisions().prepare(events).take == 150


def test_one_event_is_taken_however_many_rules_it_has(game: Game) -> None:
    members = [f"p{number}" for number in range(60)]
    for _ in range(3):
        given_rule(game, audience_path="data.members")
    events = given_batch(game, *[an_event(data={"members": members, "level": 1}) for _ in range(2)])
    assert Decisions().prepare(events).take == 1
    decide()
    assert len(decisions(game)) == 360
    assert counters(game, "p7") == (6, 6, 6)


def test_a_hundred_players_are_told_at_once_and_one_more_in_pages(game: Game) -> None:
    given_rule(game, audience_path="data.members")
    small = an_event(data={"members": [f"p{number}" for number in range(100)], "level": 1})
    large = an_event(data={"members": [f"p{number}" for number in range(101)], "level": 2})
    given_events(game, small)
    given_events(game, large)
    hubs_catch_up(["decisions"])
    assert len(decisions(game)) == 100
    assert (FanOut.objects.get().total, FanOut.objects.get().cursor) == (101, 0)


@pytest.mark.services
def test_players_are_locked_once_after_the_checkpoint_and_before_anything_is_written(game: Game) -> None:
    given_rule(game, audience_path="data.members")
    given_rule(game, audience_path="data.others", words={"en": ("other", "")})
    given_events(game, an_event(data={"members": ["carol", "alice"], "others": ["bob", "alice"], "level": 1}))
    with CaptureQueriesContext(connection) as queries:
        decide()
    sent = [query["sql"] for query in queries]
    (locked,) = places(sent, "players_player", "FOR NO KEY UPDATE")
    held = places(sent, "events_checkpoint", "FOR NO KEY UPDATE")
    written = [*places(sent, "INSERT INTO", "notifications_"), *places(sent, "UPDATE players_player")]
    assert any(at < locked for at in held)
    assert written
    assert all(at > locked for at in written)


def places(statements: list[str], *words: str) -> list[int]:
    return [at for at, sql in enumerate(statements) if all(word in sql for word in words)]


def test_a_batch_costs_as_many_statements_as_a_single_event() -> None:
    game = given_game(partitions=1)
    given_rule(game)
    keys = [f"p{number}" for number in range(30)]
    ensure(game.id, keys)

    def statements(count: int) -> int:
        for key in keys[:count]:
            given_levels(game, 1, key=key)
        with CaptureQueriesContext(connection) as queries:
            step_once(registry.hub("decisions"), Lane.NORMAL)
        return len(queries)

    statements(1)
    assert statements(30) == statements(1)
    assert counters(game, "p0") == (3, 3, 3)
