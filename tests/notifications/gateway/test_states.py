"""Read, seen and archived over the socket come back as changes on all of the player's devices."""

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import OperationalError

from notifications import announcements, inbox
from notifications.gateway import gathering
from notifications.inbox import Action
from notifications.inbox.states import IDS_MAX
from tests.notifications.gateway.devices import Device, GatewayThread
from tests.notifications.gateway.eventually import eventually
from tests.notifications.gateway.scene import Scene

pytestmark = pytest.mark.usefixtures("no_look")


@pytest.fixture
def phone(gateway: GatewayThread, scene: Scene) -> Device:
    return gateway.device(scene.token(), device="phone")


@pytest.fixture
def tablet(gateway: GatewayThread, scene: Scene) -> Device:
    return gateway.device(scene.token(), device="tablet")


@pytest.mark.parametrize(
    ("kind", "stamped"), [("seen", {"seen"}), ("read", {"seen", "read"}), ("archive", {"seen", "archived"})]
)
def test_each_id_is_one_change_on_every_device(
    phone: Device, tablet: Device, scene: Scene, kind: str, stamped: set[str]
) -> None:
    scene.tells(count=2)
    first = scene.ids()[0]
    for device in (phone, tablet):
        device.hears_changes(2)
    phone.says(kind, ids=[first])
    for device in (phone, tablet):
        frame = device.hears("changes")
        item = frame["items"][0]
        assert (frame["from"], frame["to"], frame["unread"]) == (2, 3, 2 if kind == "seen" else 1)
        assert (item["id"], item["number"], item["seq"]) == (first, 1, 3)
        assert {name for name in ("seen", "read", "archived") if item[name]} == stamped


@pytest.mark.parametrize(("kind", "marks"), [("seen", {"seen"}), ("read", {"seen", "read"})])
def test_a_mark_is_one_change_in_all(
    phone: Device, tablet: Device, scene: Scene, kind: str, marks: set[str]
) -> None:
    scene.tells(count=5)
    for device in (phone, tablet):
        device.hears_changes(5)
    phone.says(kind, through=4)
    for device in (phone, tablet):
        frame = device.hears("changes")
        assert (frame["from"], frame["to"], frame["items"]) == (5, 6, [])
        assert {name for name in ("seen", "read") if f"{name}_through" in frame} == marks
        assert {frame[f"{name}_through"] for name in marks} == {4}
        assert frame["unread"] == (1 if kind == "read" else 5)


def test_a_mark_beyond_the_newest_goes_to_the_newest(phone: Device, scene: Scene) -> None:
    scene.tells(count=2)
    phone.hears_changes(2)
    phone.says("read", through=2**62)
    assert phone.hears("changes")["read_through"] == 2


def test_marks_that_moved_meanwhile_are_in_what_a_client_resumes_with(
    phone: Device, gateway: GatewayThread, scene: Scene
) -> None:
    scene.tells(count=3)
    phone.hears_changes(3)
    phone.says("read", through=2)
    phone.hears_changes(4)
    tablet = gateway.device(scene.token(), since={"epoch": "e1", "seq": 3})
    frame = tablet.hears("changes")
    assert (frame["read_through"], frame["seen_through"], frame["unread"]) == (2, 2, 1)
    scene.tells()
    late = gateway.device(scene.token(), since={"epoch": "e1", "seq": 4})
    assert {"read_through", "seen_through"}.isdisjoint(late.hears("changes"))


def test_an_announcement_that_was_read_is_read_on_every_device(
    phone: Device, tablet: Device, gateway: GatewayThread, scene: Scene
) -> None:
    row = announcements.put(scene.game.id, title="maintenance")
    for device in (phone, tablet):
        device.hears("announcements")
    phone.says("read", ids=[str(row.uid)])
    for device in (phone, tablet):
        frame = device.hears("changes")
        assert (frame["to"], frame["items"], frame["announcements_read"]) == (1, [], [str(row.uid)])
    late = gateway.device(scene.token(), since={"epoch": "e1", "seq": 0})
    assert late.hears("changes")["announcements_read"] == [str(row.uid)]


def test_repeats_and_ids_of_other_players_change_nothing(
    phone: Device, gateway: GatewayThread, scene: Scene
) -> None:
    bob = gateway.device(scene.token("bob"))
    scene.tells("bob")
    bob.hears_changes(1)
    scene.tells("alice")
    phone.hears_changes(1)
    phone.says("read", ids=scene.ids("bob"))
    phone.says("read", ids=scene.ids("alice"))
    phone.says("read", ids=scene.ids("alice"))
    phone.hears_changes(2)
    eventually(lambda: scene.player("alice").head == 2)
    phone.hears_nothing_before_pong()
    bob.hears_nothing_before_pong()
    assert scene.player("bob").unread == 1


@pytest.mark.parametrize(
    "message",
    [
        {"type": "read"},
        {"type": "read", "ids": ["x"]},
        {"type": "seen", "through": -1},
        {"type": "archive", "through": 3},
        {"type": "read", "ids": ["6f9d0c7e-6d0f-5a57-9a55-7b1f0c6f3f2a"] * (IDS_MAX + 1)},
    ],
    ids=["nothing", "no id", "negative", "archive through", "too many"],
)
def test_what_cannot_be_done_is_refused_and_the_socket_stays(phone: Device, message: dict[str, Any]) -> None:
    phone.says(**message)
    error = phone.hears("error")
    assert (error["re"], error["code"]) == (message["type"], "invalid")
    phone.hears_nothing_before_pong()


def test_states_that_could_not_be_stored_are_refused_and_may_be_sent_again(
    phone: Device, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.tells()
    phone.hears_changes(1)
    with monkeypatch.context() as away:
        away.setattr(gathering, "apply", _away)
        phone.says("read", ids=scene.ids())
        error = phone.hears("error")
    assert (error["re"], error["code"], error["retry_after"]) == ("read", "unavailable", 1)
    phone.says("read", ids=scene.ids())
    assert phone.hears("changes")["unread"] == 0


def test_a_state_that_fails_by_its_own_fault_does_not_take_others_with_it(
    phone: Device, gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    bob = gateway.device(scene.token("bob"))
    scene.tells("alice", "bob")
    phone.hears_changes(1)
    bob.hears_changes(1)
    poison = scene.player("bob").id
    apply = inbox.apply

    def fails_for_bob(actions: Sequence[Action]) -> Any:
        if any(action.player_id == poison for action in actions):
            raise ValueError
        return apply(actions)

    monkeypatch.setattr(gathering, "apply", fails_for_bob)
    gateway.holds_back("gathering")
    phone.says("read", through=1)
    bob.says("read", through=1)
    phone.hears_nothing_before_pong()
    bob.hears_nothing_before_pong()
    gateway.do(gateway.gateway.gathering.write())
    assert phone.hears("changes")["unread"] == 0
    assert bob.hears("error")["re"] == "read"


def test_a_flood_is_written_in_short_transactions_and_bounded(
    phone: Device, gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "ACTIONS_MAX", 5)
    monkeypatch.setattr(gathering, "IDS_AT_ONCE", 2)
    scene.tells(count=6)
    phone.hears_changes(6)
    sizes: list[int] = []
    apply = inbox.apply
    monkeypatch.setattr(gathering, "apply", lambda actions: (sizes.append(len(actions)), apply(actions))[1])
    gateway.holds_back("gathering")
    for each in scene.ids():
        phone.says("seen", ids=[each])
    error = phone.hears("error")
    assert (error["re"], error["code"], error["retry_after"]) == ("seen", "busy", 1)
    gateway.do(gateway.gateway.gathering.write())
    assert sizes == [2, 2, 1]
    phone.hears_changes(11)


def test_the_order_of_one_players_states_is_kept(phone: Device, scene: Scene) -> None:
    scene.tells(count=3)
    phone.hears_changes(3)
    for each in reversed(scene.ids()):
        phone.says("seen", ids=[each])
    frames = phone.hears_changes(6)
    assert [item["number"] for frame in frames for item in frame["items"]] == [3, 2, 1]


def test_states_of_many_sockets_are_written_together(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = {name: gateway.device(scene.token(name)) for name in ("alice", "bob", "olive")}
    scene.tells(*devices)
    together: list[int] = []
    apply = inbox.apply
    monkeypatch.setattr(
        gathering, "apply", lambda actions: (together.append(len(actions)), apply(actions))[1]
    )
    gateway.holds_back("gathering")
    for device in devices.values():
        device.hears_changes(1)
        device.says("read", through=1)
        device.hears_nothing_before_pong()
    gateway.do(gateway.gateway.gathering.write())
    assert together == [3]
    for device in devices.values():
        assert device.hears("changes")["unread"] == 0


def _away(*_: object) -> None:
    raise OperationalError("the connection is lost")
