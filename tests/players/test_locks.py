"""Players are locked in the order of their ids, or they would deadlock."""

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from players.locks import lock_players
from tests.given import given_game
from tests.players.people import given_player

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.services
def test_players_are_locked_in_the_order_of_their_ids_and_no_stronger_than_needed() -> None:
    game = given_game()
    ids = frozenset(given_player(game, f"p{number}").pk for number in range(3))
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        lock_players(ids)
    (sql,) = [query["sql"] for query in queries if "players_player" in query["sql"]]
    assert sql.startswith("SELECT id FROM players_player")
    assert sql.endswith("ORDER BY id FOR NO KEY UPDATE")


def test_locking_nobody_costs_nothing() -> None:
    with transaction.atomic(), CaptureQueriesContext(connection) as queries:
        lock_players(frozenset())
    assert not [query for query in queries if "players_player" in query["sql"]]
