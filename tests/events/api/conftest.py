"""A game and its server."""

import pytest

from events.models import Game
from tests.events.api.server import GameServer
from tests.given import given_game


@pytest.fixture
def game() -> Game:
    return given_game(partitions=4)


@pytest.fixture
def server(game: Game) -> GameServer:
    return GameServer(game)
