"""At most 64 changes without an ack: a slow client costs no memory, and one that never acks is cut off."""

import itertools

import pytest

from notifications.gateway import protocol
from notifications.gateway.protocol import WINDOW
from players.models import Device as StoredDevice
from tests.notifications.gateway.devices import GatewayThread, titles
from tests.notifications.gateway.eventually import eventually
from tests.notifications.gateway.scene import Scene

pytestmark = pytest.mark.usefixtures("no_look")


def test_beyond_the_window_nothing_is_sent_until_an_ack_and_then_it_goes_on(
    gateway: GatewayThread, scene: Scene
) -> None:
    alice = gateway.device(scene.token())
    said = scene.tells(count=WINDOW + 10)
    frames = alice.hears_changes(WINDOW)
    more = scene.tells()
    alice.hears_nothing_before_pong()
    alice.says("ack", seq=5)
    frames += alice.hears_changes(WINDOW + 5)
    alice.says("ack", seq=WINDOW + 5)
    frames += alice.hears_changes(WINDOW + 11)
    assert titles(frames) == said + more
    assert all(one["to"] == following["from"] for one, following in itertools.pairwise(frames))


def test_one_ack_covers_all_before_it(gateway: GatewayThread, scene: Scene) -> None:
    alice = gateway.device(scene.token())
    for _ in range(5):
        scene.tells(count=WINDOW - 1)
        alice.hears_changes(alice.ready["head"] + WINDOW - 1)
        alice.ready["head"] += WINDOW - 1
        alice.says("ack", seq=alice.ready["head"])
    assert scene.player().head == 5 * (WINDOW - 1)


@pytest.mark.parametrize("seq", [WINDOW + 1, 10**9, 0, -7])
def test_a_forged_ack_opens_nothing(gateway: GatewayThread, scene: Scene, seq: int) -> None:
    mallory = gateway.device(scene.token())
    scene.tells(count=WINDOW + 10)
    mallory.hears_changes(WINDOW)
    mallory.says("ack", seq=seq)
    mallory.hears_nothing_before_pong()
    gateway.settles()
    mallory.hears_nothing_before_pong()


def test_the_window_is_each_sockets_own(gateway: GatewayThread, scene: Scene) -> None:
    slow, quick = gateway.device(scene.token(), device="tv"), gateway.device(scene.token(), device="phone")
    scene.tells(count=WINDOW + 10)
    slow.hears_changes(WINDOW)
    quick.hears_changes(WINDOW)
    quick.says("ack", seq=WINDOW)
    assert len(titles(quick.hears_changes(WINDOW + 10))) == 10
    slow.hears_nothing_before_pong()


def test_who_leaves_changes_waiting_for_a_minute_is_cut_off_with_the_code_that_resumes(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    frozen = gateway.device(scene.token())
    scene.tells(count=WINDOW + 1)
    frozen.hears_changes(WINDOW)
    gateway.looks()
    frozen.hears_nothing_before_pong()
    monkeypatch.setattr(protocol, "NO_ACKS_S", -1.0)
    gateway.looks()
    code, frames = frozen.is_closed()
    assert (code, [frame["type"] for frame in frames]) == (protocol.NO_ACKS, ["bye"])


def test_a_full_window_with_nothing_waiting_behind_it_is_left_alone(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "NO_ACKS_S", -1.0)
    reader = gateway.device(scene.token())
    scene.tells(count=WINDOW)
    reader.hears_changes(WINDOW)
    gateway.looks()
    reader.hears_nothing_before_pong()


def test_what_a_device_has_acked_is_stored_for_staff_to_see(gateway: GatewayThread, scene: Scene) -> None:
    phone, nameless = gateway.device(scene.token(), device="phone"), gateway.device(scene.token())
    scene.tells(count=3)
    phone.hears_changes(3)
    nameless.hears_changes(3)
    phone.says("ack", seq=2)
    nameless.says("ack", seq=3)
    eventually(lambda: StoredDevice.objects.filter(acked=2).exists())
    assert list(StoredDevice.objects.values_list("name", "acked")) == [("phone", 2)]
