"""The process stops: clients are asked to come back, at a moment of their own, and nobody sees 1006."""

import asyncio

import pytest
from django.db import OperationalError

from notifications.gateway import protocol, queries, session
from players import presence
from players.models import Gateway
from tests.notifications.gateway.devices import Device, GatewayThread, titles
from tests.notifications.gateway.eventually import Gate, eventually
from tests.notifications.gateway.scene import Scene

pytestmark = pytest.mark.usefixtures("no_look")


@pytest.fixture
def alice(gateway: GatewayThread, scene: Scene) -> Device:
    return gateway.device(scene.token(), device="phone")


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "DRAIN_S", 0.0)


@pytest.fixture
def after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is drained stays for as long as a test takes."""
    monkeypatch.setattr(session.random, "uniform", lambda _least, _most: 60.0)


@pytest.mark.usefixtures("at_once")
def test_a_client_is_told_when_to_come_back_then_closed(alice: Device) -> None:
    alice.is_cancelled()
    code, frames = alice.is_closed()
    assert code == protocol.RESTART
    assert [(frame["type"], frame["code"], frame["after"]) for frame in frames] == [
        ("bye", protocol.RESTART, [2, 45])
    ]


def test_sockets_end_one_after_the_other_within_the_drain(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments: list[tuple[float, float]] = []

    def moment(least: float, most: float) -> float:
        moments.append((least, most))
        return 0.0

    devices = [gateway.device(scene.token(name)) for name in ("alice", "bob")]
    monkeypatch.setattr(session.random, "uniform", moment)
    for device in devices:
        device.is_cancelled()
        device.is_closed()
    assert moments == [(0, session.DRAIN_S)] * 2
    assert session.DRAIN_S <= 5


@pytest.mark.usefixtures("after_a_while")
def test_until_its_moment_a_socket_goes_on_as_before(
    gateway: GatewayThread, alice: Device, scene: Scene
) -> None:
    bob = gateway.device(scene.token("bob"))
    alice.is_cancelled()
    assert alice.hears("bye")["code"] == protocol.RESTART
    said = scene.tells()
    assert titles(alice.hears_changes(1)) == said
    alice.says("read", through=1)
    assert alice.hears("changes")["read_through"] == 1
    alice.leaves()
    bob.hears_nothing_before_pong()


@pytest.mark.usefixtures("at_once")
def test_what_was_on_its_way_when_the_process_stops_is_still_done(
    gateway: GatewayThread, alice: Device, scene: Scene
) -> None:
    """A read that the server has received, but not yet looked at or stored."""
    scene.tells()
    alice.hears_changes(1)
    gateway.holds_back("gathering")

    async def both_at_once() -> None:
        alice._says.put_nowait({"type": "websocket.receive", "text": '{"type":"read","through":1}'})
        alice.task.cancel()

    gateway.do(both_at_once())
    assert alice.is_closed()[0] == protocol.RESTART
    assert scene.player().unread == 0


@pytest.mark.usefixtures("at_once")
def test_who_has_not_connected_yet_is_asked_to_come_back_too(gateway: GatewayThread) -> None:
    device = gateway.device()
    device.is_cancelled()
    code, frames = device.is_closed()
    assert (code, frames[0]["after"]) == (protocol.RESTART, [2, 45])


@pytest.mark.usefixtures("at_once")
def test_who_is_about_to_be_welcomed_is_asked_to_come_back_too(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, welcome = Gate(), queries.welcome
    monkeypatch.setattr(queries, "welcome", lambda player: (gate.passes(), welcome(player))[1])
    device = gateway.device()
    device.says("connect", token=scene.token())
    gate.has_been_reached()
    device.is_cancelled()
    assert device.is_closed()[0] == protocol.RESTART
    gate.opens()


@pytest.mark.usefixtures("after_a_while")
def test_who_comes_while_the_process_stops_is_sent_away(gateway: GatewayThread, alice: Device) -> None:
    alice.is_cancelled()
    alice.hears("bye")
    late = gateway.device()
    code, frames = late.is_closed()
    assert (code, frames[0]["type"]) == (protocol.RESTART, "bye")
    alice.leaves()


def test_a_server_that_ends_a_session_whose_client_is_gone_does_not_stop_the_gateway(
    gateway: GatewayThread, alice: Device, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """daphne does so when a session waits for long, as for a database that hangs."""
    gate, welcome = Gate(), queries.welcome
    monkeypatch.setattr(queries, "welcome", lambda player: (gate.passes(), welcome(player))[1])
    alice.says("sync", since={"epoch": "e1", "seq": 0})
    gate.has_been_reached()
    alice._put({"type": "websocket.disconnect", "code": 1006})
    alice.is_cancelled()
    alice.ends()
    gate.opens()
    assert gateway.device(scene.token("bob")).ready["resume"] == "new"


@pytest.mark.usefixtures("at_once")
def test_a_second_cancellation_ends_the_session_at_once(alice: Device) -> None:
    alice.is_cancelled()
    alice.is_cancelled()
    alice.ends()


@pytest.mark.usefixtures("at_once")
def test_with_the_last_socket_of_a_process_that_stops_its_players_are_not_here_any_more(
    gateway: GatewayThread, scene: Scene
) -> None:
    devices = [gateway.device(scene.token(name)) for name in ("alice", "bob")]
    alice = scene.player("alice").id
    eventually(lambda: presence.is_present(alice))
    for device in devices:
        device.is_cancelled()
        assert device.is_closed()[0] == protocol.RESTART
    assert not Gateway.objects.exists()
    assert not presence.is_present(alice)
    assert gateway.ask(lambda: gateway.gateway.tasks) == {}


@pytest.mark.usefixtures("at_once")
def test_a_database_that_is_away_does_not_hold_up_the_stop(
    alice: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(presence, "close", away)
    alice.is_cancelled()
    assert alice.is_closed()[0] == protocol.RESTART


@pytest.mark.django_db(transaction=True)
async def test_an_application_that_is_cancelled_before_it_accepts_ends_quietly() -> None:
    async def receive() -> dict[str, object]:
        return await asyncio.Event().wait()  # type: ignore[return-value]

    async def send(_message: dict[str, object]) -> None:
        raise ValueError("Socket has not been accepted, so cannot send over it")

    running = asyncio.create_task(session.Session({"type": "websocket"}, receive, send).run())
    await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait_for(running, 20)
