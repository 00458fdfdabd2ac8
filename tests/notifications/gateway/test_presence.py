"""Who is here, as the gateway writes it."""

import pytest
from django.db import OperationalError

from notifications.gateway import gathering
from players import presence
from players.models import Gateway
from tests.notifications.gateway.devices import GatewayThread
from tests.notifications.gateway.eventually import eventually
from tests.notifications.gateway.scene import Scene

pytestmark = pytest.mark.usefixtures("no_look")


def writes(gateway: GatewayThread) -> None:
    gateway.do(gateway.gateway.gathering.write())


@pytest.fixture
def here(gateway: GatewayThread, scene: Scene) -> int:
    """Alice, who is connected; what is written is up to the test."""
    gateway.holds_back("gathering")
    gateway.device(scene.token())
    return scene.player().id


def test_a_player_is_here_from_the_first_socket_to_the_last(gateway: GatewayThread, scene: Scene) -> None:
    alice = scene.player().id
    devices = [gateway.device(scene.token()) for _ in range(2)]
    eventually(lambda: presence.is_present(alice))
    devices[0].leaves()
    writes(gateway)
    assert presence.is_present(alice)
    devices[1].leaves()
    eventually(lambda: not presence.is_present(alice))


def test_an_arrival_that_could_not_be_written_is_written_the_next_time(
    gateway: GatewayThread, here: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("the connection is lost")

    with monkeypatch.context() as weather:
        weather.setattr(presence, "arrived", away)
        writes(gateway)
    assert not presence.is_present(here)
    writes(gateway)
    assert presence.is_present(here)


def test_after_its_lease_was_swept_a_gateway_says_again_who_is_here(
    gateway: GatewayThread, here: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes(gateway)
    Gateway.objects.all().delete()
    writes(gateway)
    assert not presence.is_present(here)  # the lease is not due
    monkeypatch.setattr(presence, "RENEW_S", 0.0)
    writes(gateway)
    assert presence.is_present(here)


def test_the_lease_is_renewed_in_time_and_not_at_every_moment(
    gateway: GatewayThread, here: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    renewed: list[int] = []
    renew = presence.renew
    monkeypatch.setattr(presence, "renew", lambda *lease: (renewed.append(here), renew(*lease))[1])
    for _ in range(3):
        writes(gateway)
    assert len(renewed) == 1
    now = gathering.monotonic() + presence.RENEW_S
    monkeypatch.setattr(gathering, "monotonic", lambda: now)
    writes(gateway)
    assert len(renewed) == 2
    assert presence.LEASE.total_seconds() > 2 * presence.RENEW_S


def test_staff_see_how_many_sockets_a_gateway_holds(gateway: GatewayThread, here: int) -> None:
    writes(gateway)
    assert presence.is_present(here)
    assert Gateway.objects.get().sockets == 1


def test_acks_that_could_not_be_stored_are_stored_the_next_time(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.holds_back("gathering")
    alice = gateway.device(scene.token(), device="phone")
    scene.tells(count=2)
    alice.hears_changes(2)

    def away(*_: object) -> None:
        raise OperationalError("the connection is lost")

    alice.says("ack", seq=1)
    alice.hears_nothing_before_pong()
    with monkeypatch.context() as weather:
        weather.setattr(gathering, "store_acks", away)
        writes(gateway)
    assert not scene.player().devices.exists()
    writes(gateway)
    assert scene.player().devices.get().acked == 1
