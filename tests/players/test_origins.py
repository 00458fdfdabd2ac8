"""A game says which pages may connect for its players."""

from typing import Any

import pytest

from players.origins import origin_allowed
from tests.given import given_game

pytestmark = pytest.mark.django_db
PAGE = "https://play.example"


@pytest.mark.parametrize(
    ("listed", "origin", "allowed"),
    [
        ([], None, True),
        ([], "", True),
        ([], PAGE, False),
        ([PAGE], PAGE, True),
        ([f"{PAGE}/"], PAGE, True),
        (["https://Play.Example:443"], PAGE, True),
        ([PAGE], "http://play.example", False),
        ([PAGE], "https://play.example:8443", False),
        ([PAGE], "https://play.example.mallory.test", False),
        ([PAGE], "https://mallory.test", False),
        ([PAGE], "null", False),
        (["*"], "https://mallory.test", True),
        ("https://play.example", "h", False),
        ({"*": 1}, PAGE, False),
        (7, PAGE, False),
        ([None, 5, PAGE], PAGE, True),
    ],
)
def test_only_listed_origins_and_clients_without_one_are_allowed(
    listed: Any, origin: str | None, allowed: bool
) -> None:
    game = given_game(allowed_origins=listed)
    assert origin_allowed(game.id, origin) is allowed


def test_pages_that_clarion_itself_serves_are_allowed() -> None:
    game = given_game()
    assert origin_allowed(game.id, "http://localhost:8000", "localhost:8000")
    assert not origin_allowed(game.id, "http://localhost:9000", "localhost:8000")


def test_games_do_not_share_their_lists() -> None:
    mine, other = given_game(allowed_origins=[PAGE]), given_game()
    assert origin_allowed(mine.id, PAGE)
    assert not origin_allowed(other.id, PAGE)
