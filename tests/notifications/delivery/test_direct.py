"""A direct post may name channels; without any, nothing is different."""

import json
from typing import Any

import pytest

from events.models import Event, Game
from notifications.delivery import outlets
from notifications.models import Delivery
from tests.given import given_game
from tests.notifications.delivery.scene import given_memory
from tests.notifications.given import decide, notifications
from tests.players.people import GameServer

pytestmark = pytest.mark.django_db(transaction=True)


def post(game: Game, **more: Any) -> Any:
    body = {"players": ["alice"], "title": "Hello", **more}
    return GameServer(game).call("POST", "notifications", json.dumps(body))


def test_a_post_s_channels_bring_it() -> None:
    game = given_game()
    given_memory(game)
    assert post(game, channels=["memory"]).status_code == 202
    decide()
    row = Delivery.objects.get(game=game)
    assert row.notification_id == notifications(game)[0].uid


def test_a_post_without_channels_is_stored_as_ever_and_brought_nowhere_else() -> None:
    game = given_game()
    given_memory(game)
    assert post(game).status_code == 202
    decide()
    assert "channels" not in json.loads(Event.objects.get(type="notification.posted").data)
    assert len(notifications(game)) == 1
    assert not Delivery.objects.exists()


@pytest.mark.parametrize("channels", [["pigeon"], ["memory", "memory"], "memory", [5], ["MEMORY"], ["a"] * 9])
def test_what_the_game_has_not_set_up_is_refused_with_a_pointer(channels: Any) -> None:
    game = given_game()
    given_memory(game)
    answer = post(game, channels=channels)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/channels")
    assert not Event.objects.filter(type="notification.posted").exists()


def test_a_channel_that_is_switched_off_is_taken_and_brings_nothing() -> None:
    game = given_game()
    given_memory(game)
    outlets.put(game.id, "memory", enabled=False)
    assert post(game, channels=["memory"]).status_code == 202
    decide()
    assert len(notifications(game)) == 1
    assert not Delivery.objects.exists()
