"""What tests of this room's screens share."""

import pytest

from events.models import EventType, Game
from tests.given import given_game
from tests.notifications.admin.forms import SAMPLE
from tests.notifications.given import LEVEL


@pytest.fixture
def game() -> Game:
    """A game with one listed type, which has a sample."""
    game = given_game()
    EventType.objects.create(game=game, name=LEVEL, sample=SAMPLE)
    return game
