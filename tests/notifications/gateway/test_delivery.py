"""Hints in, frames out."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta

import pytest

from notifications.frames import announcements_frame, changes_frame
from notifications.gateway import delivery, protocol
from notifications.gateway.repair import Repair
from notifications.gateway.socket import Socket
from notifications.gateway.sockets import Sockets
from notifications.push import Announced, Change, Changes
from notifications.push.transport import Message
from tests.notifications.gateway.devices import Device, GatewayThread, titles
from tests.notifications.gateway.scene import Scene

pytestmark = pytest.mark.usefixtures("no_look")


def hint(player_id: int, from_: int, to: int) -> Changes:
    """Return a hint at changes that bring nothing to see."""
    frame = changes_frame(from_, to, 0, (), datetime.now(UTC))
    return Changes([Change(player_id, from_, to, frame)])


def receives(gateway: GatewayThread, *messages: Message) -> None:
    """Let these messages come in, as from the subscription."""

    def all_of_them() -> None:
        for message in messages:
            gateway.gateway.delivery.receive(message)

    gateway.ask(all_of_them)


@pytest.fixture(autouse=True)
def _wide_window(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the window, which has tests of its own, out of the way."""
    monkeypatch.setattr(protocol, "WINDOW", 1_000)


@pytest.fixture
def alice(gateway: GatewayThread, scene: Scene) -> Device:
    return gateway.device(scene.token())


def test_a_change_reaches_all_devices_of_its_player_and_nobody_else(
    gateway: GatewayThread, scene: Scene
) -> None:
    phone, tablet, bob = (gateway.device(scene.token(name)) for name in ("alice", "alice", "bob"))
    said = scene.tells()
    assert titles(phone.hears_changes(1)) == titles(tablet.hears_changes(1)) == said
    bob.hears_nothing_before_pong()


def test_hints_alone_bring_changes_in_order_without_a_query(gateway: GatewayThread, scene: Scene) -> None:
    alice = gateway.device(scene.token())
    gateway.holds_back("repair")
    said = [title for _ in range(5) for title in scene.tells(count=2)]
    frames = alice.hears_changes(10)
    assert titles(frames) == said
    assert frames[0]["from"] == 0


def test_a_hint_that_comes_twice_is_sent_once(alice: Device, gateway: GatewayThread, scene: Scene) -> None:
    player = scene.player().id
    receives(gateway, hint(player, 0, 1), hint(player, 0, 1), hint(player, 1, 2), hint(player, 0, 1))
    frames = alice.hears_changes(2)
    assert [(frame["from"], frame["to"]) for frame in frames] == [(0, 1), (1, 2)]
    alice.hears_nothing_before_pong()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_in_whatever_order_hints_come_the_client_sees_no_hole(
    gateway: GatewayThread, scene: Scene, order: tuple[int, ...]
) -> None:
    alice = gateway.device(scene.token())
    messages: list[Message] = []
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("notifications.push.publishing.transport", lambda: _Collecting(messages))
        said = [title for _ in range(3) for title in scene.tells()]
    receives(gateway, *(messages[place] for place in order))
    frames = alice.hears_changes(3)
    assert (frames[0]["from"], titles(frames)) == (0, said)


class _Collecting:
    def __init__(self, messages: list[Message]) -> None:
        self.publish = messages.append


def test_announcements_reach_every_player_of_the_game_and_of_no_other(
    gateway: GatewayThread, scene: Scene
) -> None:
    other = Scene()
    devices = [gateway.device(scene.token(name)) for name in ("alice", "bob")]
    stranger = gateway.device(other.token())
    frame = announcements_frame(0, 1, (), datetime.now(UTC))
    receives(gateway, Announced(scene.game.id, 0, 1, frame), Announced(scene.game.id, 0, 1, frame))
    for device in devices:
        assert device.hears("announcements")["to"] == 1
        device.hears_nothing_before_pong()
    stranger.hears_nothing_before_pong()


def test_when_too_many_hints_wait_they_are_dropped_and_read_from_the_database(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, "INBOUND_MAX", 10)
    alice = gateway.device(scene.token())
    gateway.holds_back("delivery")
    said = scene.tells(count=3)
    nobody = 10**9
    receives(gateway, *(hint(nobody, number, number + 1) for number in range(50)))
    assert gateway.ask(gateway.gateway.delivery._inbound.qsize) <= 10
    assert titles(alice.hears_changes(3)) == said


async def test_a_flood_of_hints_leaves_others_their_turn() -> None:
    """Neither taking a message nor sending a frame waits, so that nobody else would come to their turn."""
    turns, out = [], asyncio.Event()

    async def send(_message: object) -> None:
        turns.append("frame")

    flow = _delivery_to(Socket(send, 1, 1, "", datetime.now(UTC) + timedelta(hours=1)))
    for number in range(500):
        flow.receive(hint(1, number, number + 1))

    async def somebody_else() -> None:
        turns.append("somebody else")
        out.set()

    task = asyncio.create_task(flow.run())
    asyncio.create_task(somebody_else())  # noqa: RUF006 - awaited by its event
    await out.wait()
    task.cancel()
    assert len(turns) < 10


def _delivery_to(socket: Socket) -> delivery.Delivery:
    sockets = Sockets()
    socket.move(0, 0)
    socket.behind, socket.ready = False, True
    sockets.add(socket)
    return delivery.Delivery(sockets, Repair(sockets))
