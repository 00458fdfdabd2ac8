"""Players appear when they are first named, once."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from players import known
from players.known import ensure
from players.models import Player
from tests.given import given_game


@pytest.mark.django_db
def test_unknown_players_are_made_once() -> None:
    game = given_game()
    first = ensure(game.id, ["bob", "alice", "bob"])
    assert set(first) == {"alice", "bob"}
    assert ensure(game.id, ["alice", "bob"]) == first
    assert Player.objects.filter(game=game).count() == 2


@pytest.mark.django_db
def test_the_same_id_in_two_games_is_two_players() -> None:
    one, two = given_game(), given_game()
    assert ensure(one.id, ["alice"]) != ensure(two.id, ["alice"])


@pytest.mark.django_db(transaction=True)
def test_known_players_cost_no_query() -> None:
    game = given_game()
    ensure(game.id, ["alice", "bob"])
    with CaptureQueriesContext(
        connection,
    ) as queries:
        ensure(game.id, ["alice", "bob"])
    assert len(queries) == 0


@pytest.mark.django_db(transaction=True)
def test_ids_of_a_transaction_that_was_rolled_back_are_not_remembered() -> None:
    game = given_game()
    with transaction.atomic():
        ensure(game.id, ["alice"])
        transaction.set_rollback(True)
    assert Player.objects.filter(pk=ensure(game.id, ["alice"])["alice"]).exists()


@pytest.mark.django_db(transaction=True)
def test_the_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "CACHE_MAX", 10)
    game = given_game()
    for number in range(50):
        ensure(game.id, [f"p{number}"])
    assert len(known._ids) <= 10


@pytest.mark.django_db
def test_thousands_of_players_are_made_in_the_order_of_their_ids() -> None:
    game = given_game()
    keys = [f"p{number}" for number in range(2_500)]
    found = ensure(game.id, reversed(keys))
    assert sorted(found, key=found.__getitem__) == sorted(keys)
