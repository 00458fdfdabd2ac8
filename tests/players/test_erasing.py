"""Erasing leaves a tombstone and nothing else that is known."""

import threading
import uuid

import pytest
from django.db import connection, transaction

from events.hubs.run import run
from events.lanes import Lane
from events.models import Event, OutboxEvent
from players import presence
from players.devices import Ack, store_acks
from players.erasing import erase
from players.models import Device, Player, Presence, Profile, ProfileRevision
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.players.people import given_player, given_updates

pytestmark = pytest.mark.django_db(transaction=True)


def test_all_that_is_known_goes_and_the_tombstone_stays() -> None:
    game, gateway = given_game(), uuid.uuid4()
    given_updates(game, "alice", {"display_name": "Alice"}, {"locale": "de"})
    given_updates(game, "bob", {"display_name": "Bob"})
    alice, bob = Player.objects.get(key="alice"), Player.objects.get(key="bob")
    presence.renew(gateway, "host", 2)
    presence.arrived(gateway, [alice.id, bob.id])
    store_acks([Ack(each.id, "d", each.game.epoch, 0) for each in (alice, bob)])
    erase(alice)
    assert Player.objects.get(pk=alice.pk).erased
    for model in (Profile, ProfileRevision, Device, Presence):
        assert set(model.objects.values_list("player_id", flat=True)) == {bob.id}, model.__name__


def test_the_log_is_told_once_with_an_id_that_follows_from_the_player() -> None:
    alice = given_player(given_game())
    erase(alice)
    first = Player.objects.get(pk=alice.pk).erased
    erase(alice)
    event = Event.objects.get()
    assert (event.type, event.stream, event.event_id) == ("player.erased", "alice", f"erase:{alice.pk}")
    assert event.lane == Lane.URGENT
    assert Player.objects.get(pk=alice.pk).erased == first


def test_an_erasure_that_is_rolled_back_leaves_everything() -> None:
    game = given_game()
    given_updates(game, "alice", {"display_name": "Alice"})
    alice = Player.objects.get(key="alice")
    with transaction.atomic():
        erase(alice)
        transaction.set_rollback(True)
    assert Profile.objects.filter(player=alice).exists()
    assert Player.objects.get(pk=alice.pk).erased is None
    assert not OutboxEvent.objects.exists()


def test_events_that_wait_or_come_later_bring_nobody_back() -> None:
    game = given_game()
    given_updates(game, "alice", {"display_name": "Alice"})
    given_events(
        game,
        an_event(type="player.updated", stream="alice", data={"player_id": "alice", "locale": "de"}),
        lane=Lane.URGENT,
    )
    erase(Player.objects.get(key="alice"))
    hubs_catch_up(["profiles"])
    given_updates(game, "alice", {"display_name": "Alice again"})
    assert not Profile.objects.exists()
    assert not ProfileRevision.objects.exists()


def test_acks_that_come_after_the_erasure_leave_no_device() -> None:
    alice = given_player(given_game(), head=3)
    erase(alice)
    store_acks([Ack(alice.id, "d", alice.game.epoch, 2)])
    assert not Device.objects.exists()


@pytest.mark.services
def test_a_fold_that_meets_an_erasure_halfway_waits_and_then_obeys_it() -> None:
    """The erasure holds the player's lock; the fold looks for tombstones only once it has it."""
    game = given_game(partitions=1)
    given_updates(game, "alice", {"display_name": "Alice"})
    alice = Player.objects.get(key="alice")
    update = an_event(type="player.updated", stream="alice", data={"player_id": "alice", "locale": "de"})
    given_events(game, update, lane=Lane.URGENT)

    def fold() -> None:
        run("profiles", Lane.URGENT, seconds=5)
        connection.close()

    folding = threading.Thread(target=fold)
    with transaction.atomic():
        erase(alice)
        folding.start()
        wait_for_a_waiter()
        assert folding.is_alive()
    folding.join(timeout=10)
    assert not folding.is_alive()
    assert not Profile.objects.exists()
    assert not ProfileRevision.objects.exists()


@pytest.mark.services
def test_acks_that_meet_an_erasure_halfway_leave_no_device() -> None:
    alice = given_player(given_game(), head=3)

    def ack() -> None:
        store_acks([Ack(alice.id, "d", alice.game.epoch, 2)])
        connection.close()

    acking = threading.Thread(target=ack)
    with transaction.atomic():
        erase(alice)
        acking.start()
        wait_for_a_waiter()
    acking.join(timeout=10)
    assert not acking.is_alive()
    assert not Device.objects.exists()


def wait_for_a_waiter() -> None:
    """Return once somebody waits for a lock of this connection. Not by pg_stat_activity: it stands still here."""
    stop = threading.Event()
    for _ in range(500):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))"
            )
            if cursor.fetchone()[0]:
                return
        stop.wait(0.01)
    raise AssertionError("nobody came to wait")
