"""Acks move forward only, whatever order they are written in."""

from datetime import UTC, datetime, timedelta

import pytest

from events import lineage
from events.retention import leftovers
from players.devices import Ack, store_acks
from players.models import Device, Player
from tests.given import given_game
from tests.players.people import given_player

pytestmark = pytest.mark.django_db


def acked(player: Player, name: str = "d") -> int:
    return Device.objects.get(player=player, name=name).acked


def ack(player: Player, name: str, seq: int) -> Ack:
    return Ack(player.id, name, player.game.epoch, seq)


def test_the_newest_of_several_acks_of_a_device_counts() -> None:
    alice = given_player(given_game(), head=9)
    store_acks([ack(alice, "d", 1), ack(alice, "d", 3), ack(alice, "d", 2)])
    assert acked(alice) == 3


def test_a_late_ack_of_another_process_moves_nothing_back() -> None:
    alice = given_player(given_game(), head=9)
    store_acks([ack(alice, "d", 7)])
    store_acks([ack(alice, "d", 4)])
    assert acked(alice) == 7


def test_nobody_acks_beyond_what_there_is() -> None:
    mallory = given_player(given_game(), "mallory", head=5)
    store_acks([ack(mallory, "d", 10**12)])
    assert acked(mallory) == 5


def test_after_a_restore_acks_count_from_the_earlier_head() -> None:
    alice = given_player(given_game(), head=90)
    store_acks([ack(alice, "d", 90)])
    Player.objects.filter(pk=alice.pk).update(head=10)
    store_acks([ack(alice, "d", 8)])
    assert acked(alice) == 8


@pytest.mark.django_db(transaction=True)
def test_an_ack_of_a_numbering_that_is_over_marks_nothing() -> None:
    """It was gathered before the epoch was renewed, and is written afterwards."""
    alice = given_player(given_game(), head=90)
    late = ack(alice, "d", 80)
    store_acks([ack(alice, "d", 70)])
    lineage.renew([alice.game], "olive", "restored the dump of 03:00")
    Player.objects.filter(pk=alice.pk).update(head=40)
    store_acks([late, late._replace(device="other")])
    assert list(Device.objects.values_list("name", "acked")) == [("d", 70)]
    Player.objects.filter(pk=alice.pk).update(head=95)
    alice = Player.objects.select_related("game").get(pk=alice.pk)
    store_acks([late, ack(alice, "d", 41)])
    assert acked(alice) == 41, "of the new numbers; 42 to 70 mean other changes now"


def test_an_erased_player_gets_no_device() -> None:
    game = given_game()
    alice = given_player(game, "alice", head=3)
    bob = given_player(game, "bob", head=3, erased="2026-01-01T00:00:00Z")
    store_acks([ack(bob, "d", 1), ack(alice, "d", 2)])
    assert list(Device.objects.values_list("player_id", "acked")) == [(alice.id, 2)]


def test_acks_of_many_players_and_devices_are_all_stored() -> None:
    game = given_game()
    players = [given_player(game, f"p{n}", head=n) for n in range(30)]
    store_acks([ack(player, name, 30) for player in players for name in ("phone", "tab")])
    assert Device.objects.count() == 60
    assert [acked(player, "phone") for player in players] == list(range(30))


def test_no_acks_are_no_statement() -> None:
    store_acks([])
    assert not Device.objects.exists()


def test_devices_that_nobody_has_heard_of_for_long_go() -> None:
    alice = given_player(given_game(), head=3)
    store_acks([ack(alice, "old", 1), ack(alice, "new", 1)])
    Device.objects.filter(name="old").update(seen=datetime.now(UTC) - timedelta(days=91))
    assert leftovers.sweep_for(1) == 1
    assert list(Device.objects.values_list("name", flat=True)) == ["new"]
