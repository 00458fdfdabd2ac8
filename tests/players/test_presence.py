"""Who is here hangs on the leases of gateways."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest

from players import presence
from players.models import Gateway, Presence
from players.tasks import sweep_presence
from tests.given import given_game
from tests.players.people import given_player

pytestmark = pytest.mark.django_db


def lapse(gateway: uuid.UUID) -> None:
    Gateway.objects.filter(id=gateway).update(lease_until=datetime.now(UTC) - timedelta(seconds=1))


@pytest.fixture
def gateway() -> uuid.UUID:
    gateway = uuid.uuid4()
    assert presence.renew(gateway, "host", 0)
    return gateway


def test_a_player_is_here_from_the_first_socket_to_the_last(gateway: uuid.UUID) -> None:
    alice = given_player(given_game())
    presence.arrived(gateway, [alice.id])
    assert presence.is_present(alice.id)
    presence.left(gateway, [alice.id])
    assert not presence.is_present(alice.id)


def test_a_player_on_two_gateways_stays_when_one_is_left(gateway: uuid.UUID) -> None:
    alice, other = given_player(given_game()), uuid.uuid4()
    presence.renew(other, "other", 1)
    presence.arrived(gateway, [alice.id])
    presence.arrived(other, [alice.id])
    presence.close(other)
    assert presence.is_present(alice.id)


def test_arriving_twice_is_being_here_once(gateway: uuid.UUID) -> None:
    alice = given_player(given_game())
    presence.arrived(gateway, [alice.id, alice.id])
    presence.arrived(gateway, [alice.id])
    assert Presence.objects.count() == 1


def test_nobody_is_here_on_a_lapsed_lease_even_before_the_sweep(gateway: uuid.UUID) -> None:
    alice = given_player(given_game())
    presence.arrived(gateway, [alice.id])
    lapse(gateway)
    assert presence.present([alice.id]) == set()


def test_the_sweep_takes_lapsed_gateways_and_no_others(gateway: uuid.UUID) -> None:
    game = given_game()
    alice, bob, dead = given_player(game, "alice"), given_player(game, "bob"), uuid.uuid4()
    presence.renew(dead, "dead", 1)
    presence.arrived(gateway, [alice.id])
    presence.arrived(dead, [bob.id])
    lapse(dead)
    assert presence.sweep() == 1
    assert list(Gateway.objects.values_list("id", flat=True)) == [gateway]
    assert list(Presence.objects.values_list("player_id", flat=True)) == [alice.id]
    sweep_presence()
    assert Gateway.objects.count() == 1


def test_a_gateway_that_renews_in_time_is_told_that_nothing_was_lost(gateway: uuid.UUID) -> None:
    assert not presence.renew(gateway, "host", 3)
    assert Gateway.objects.get().sockets == 3


def test_a_gateway_that_was_swept_is_told_to_begin_again(gateway: uuid.UUID) -> None:
    alice = given_player(given_game())
    presence.arrived(gateway, [alice.id])
    lapse(gateway)
    presence.sweep()
    assert presence.renew(gateway, "host", 1)
    presence.arrived(gateway, [alice.id])
    assert presence.is_present(alice.id)


def test_a_lease_that_lapsed_but_was_not_swept_keeps_its_players(gateway: uuid.UUID) -> None:
    alice = given_player(given_game())
    presence.arrived(gateway, [alice.id])
    lapse(gateway)
    assert not presence.renew(gateway, "host", 1)
    assert presence.sweep() == 0
    assert presence.is_present(alice.id)
