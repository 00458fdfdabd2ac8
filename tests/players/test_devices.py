"""Acks move forward only, whatever order they are written in."""

from datetime import UTC, datetime, timedelta

import pytest

from events.retention import leftovers
from players.devices import store_acks
from players.models import Device, Player
from tests.given import given_game
from tests.players.people import given_player

pytestmark = pytest.mark.django_db


def acked(player: Player, name: str = "d") -> int:
    return Device.objects.get(player=player, name=name).acked


def test_the_newest_of_several_acks_of_a_device_counts() -> None:
    alice = given_player(given_game(), head=9)
    store_acks([(alice.id, "d", 1), (alice.id, "d", 3), (alice.id, "d", 2)])
    assert acked(alice) == 3


def test_a_late_ack_of_another_process_moves_nothing_back() -> None:
    alice = given_player(given_game(), head=9)
    store_acks([(alice.id, "d", 7)])
    store_acks([(alice.id, "d", 4)])
    assert acked(alice) == 7


def test_nobody_acks_beyond_what_there_is() -> None:
    mallory = given_player(given_game(), "mallory", head=5)
    store_acks([(mallory.id, "d", 10**12)])
    assert acked(mallory) == 5


def test_after_a_restore_acks_count_from_the_earlier_head() -> None:
    alice = given_player(given_game(), head=90)
    store_acks([(alice.id, "d", 90)])
    Player.objects.filter(pk=alice.pk).update(head=10)
    store_acks([(alice.id, "d", 8)])
    assert acked(alice) == 8


def test_an_erased_player_gets_no_device() -> None:
    game = given_game()
    alice = given_player(game, "alice", head=3)
    bob = given_player(game, "bob", head=3, erased="2026-01-01T00:00:00Z")
    store_acks([(bob.id, "d", 1), (alice.id, "d", 2)])
    assert list(Device.objects.values_list("player_id", "acked")) == [(alice.id, 2)]


def test_acks_of_many_players_and_devices_are_all_stored() -> None:
    game = given_game()
    players = [given_player(game, f"p{n}", head=n) for n in range(30)]
    store_acks([(player.id, name, 30) for player in players for name in ("phone", "tab")])
    assert Device.objects.count() == 60
    assert [acked(player, "phone") for player in players] == list(range(30))


def test_no_acks_are_no_statement() -> None:
    store_acks([])
    assert not Device.objects.exists()


def test_devices_that_nobody_has_heard_of_for_long_go() -> None:
    alice = given_player(given_game(), head=3)
    store_acks([(alice.id, "old", 1), (alice.id, "new", 1)])
    Device.objects.filter(name="old").update(seen=datetime.now(UTC) - timedelta(days=91))
    assert leftovers.sweep_for(1) == 1
    assert list(Device.objects.values_list("name", flat=True)) == ["new"]
