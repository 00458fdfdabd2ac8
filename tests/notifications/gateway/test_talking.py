"""Once connected: what else a client may say, and how much of it."""

import time

import pytest
from django.db import OperationalError

from notifications.gateway import allowance, protocol, queries
from notifications.gateway.allowance import Allowance
from tests.notifications.gateway.devices import Device, GatewayThread, titles
from tests.notifications.gateway.eventually import Gate
from tests.notifications.gateway.scene import Scene

pytestmark = pytest.mark.usefixtures("no_look")


@pytest.fixture
def alice(gateway: GatewayThread, scene: Scene) -> Device:
    return gateway.device(scene.token(), device="phone")


def test_a_ping_is_answered(alice: Device) -> None:
    alice.says("ping")
    assert alice.hears("pong")["now"].endswith("Z")


@pytest.mark.parametrize(
    "text",
    ['{"type":"dance"}', '{"type":"ack"}', '{"type":"ack","seq":"1"}', '{"type":"token"}', '{"type":"sync"}'],
)
def test_what_is_not_understood_is_refused_and_the_socket_stays(
    alice: Device, scene: Scene, text: str
) -> None:
    alice.says_text(text)
    error = alice.hears("error")
    assert f'"type":"{error["re"]}"' in text
    assert error["code"] == "invalid"
    said = scene.tells()
    assert titles(alice.hears_changes(1)) == said


def test_a_second_connect_is_refused_and_the_socket_stays(alice: Device, scene: Scene) -> None:
    alice.says("connect", token=scene.token("bob"))
    assert alice.hears("error")["re"] == "connect"
    alice.hears_nothing_before_pong()


@pytest.mark.parametrize("text", ["", "ping", "[]", '"ping"', "{}", '{"type":7}', "[" * 9_000], ids=range(7))
def test_what_is_no_message_at_all_ends_the_socket(alice: Device, text: str) -> None:
    alice.says_text(text)
    assert alice.is_closed()[0] == protocol.MALFORMED


def test_a_client_that_talks_too_much_is_cut_off(alice: Device) -> None:
    for _ in range(int(protocol.MESSAGES_BURST) + 20):
        alice.says("ping")
    code, frames = alice.is_closed()
    assert code == protocol.TOO_MANY_MESSAGES
    assert len(frames) >= protocol.MESSAGES_BURST


def test_acks_of_what_was_sent_are_free_and_others_are_not(
    alice: Device, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client may ack each change by itself, however many there are."""
    monkeypatch.setattr(protocol, "MESSAGES_A_SECOND", 0.0)
    monkeypatch.setattr(protocol, "MESSAGES_BURST", 3.0)
    scene.tells(count=50)
    alice.hears_changes(50)
    for seq in range(1, 51):
        alice.says("ack", seq=seq)
    alice.hears_nothing_before_pong()
    for seq in (50, 51, 52):
        alice.says("ack", seq=seq)
    assert alice.is_closed()[0] == protocol.TOO_MANY_MESSAGES


def test_an_allowance_earns_its_rate_back_up_to_the_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(allowance, "monotonic", lambda: now[0])
    talk = Allowance()
    assert all(talk.charge() for _ in range(60))
    assert not talk.charge()
    now[0] += 1.05
    assert all(talk.charge() for _ in range(20))
    assert not talk.charge()
    now[0] += 3_600
    assert all(talk.charge(protocol.DEAR) for _ in range(12))
    assert not talk.charge()


# -- tokens --------------------------------------------------------------------------------------------


def test_a_fresh_token_of_the_same_player_carries_the_socket_on(gateway: GatewayThread, scene: Scene) -> None:
    alice = gateway.device(scene.token(ttl_s=60))
    alice.says("token", token=scene.token(ttl_s=3_600))
    alice.hears_nothing_before_pong()
    (socket,) = gateway.ask(lambda: list(gateway.gateway.sockets))
    assert socket.expires.timestamp() > time.time() + 3_000


def test_another_players_token_ends_the_socket(alice: Device, scene: Scene) -> None:
    alice.says("token", token=scene.token("bob"))
    assert alice.is_closed()[0] == protocol.TOKEN_WRONG


def test_a_wrong_token_ends_the_socket(alice: Device) -> None:
    alice.says("token", token="none of ours")
    assert alice.is_closed()[0] == protocol.TOKEN_WRONG


@pytest.mark.parametrize(
    ("type", "question", "message"),
    [
        ("token", "identify", {"token": "fresh"}),
        ("sync", "welcome", {"since": {"epoch": "e1", "seq": 0}}),
    ],
)
def test_while_the_database_is_away_the_message_is_refused_and_the_socket_stays(
    alice: Device, monkeypatch: pytest.MonkeyPatch, type: str, question: str, message: dict[str, object]
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("the connection is lost")

    monkeypatch.setattr(queries, question, away)
    alice.says(type, **message)
    error = alice.hears("error")
    assert (error["re"], error["code"], error["retry_after"]) == (type, "unavailable", 1)
    alice.hears_nothing_before_pong()


# -- the same device again -------------------------------------------------------------------------------


def test_the_same_device_again_replaces_the_older_socket(
    alice: Device, gateway: GatewayThread, scene: Scene
) -> None:
    again = gateway.device(scene.token(), device="phone")
    assert alice.is_closed()[0] == protocol.REPLACED
    said = scene.tells()
    assert titles(again.hears_changes(1)) == said


def test_the_same_device_on_another_gateway_replaces_the_older_socket(
    alice: Device, other_gateway: GatewayThread, scene: Scene
) -> None:
    again = other_gateway.device(scene.token(), device="phone")
    assert alice.is_closed()[0] == protocol.REPLACED
    again.hears_nothing_before_pong()


def test_of_two_that_connect_to_two_gateways_in_the_same_moment_one_stays(
    gateway: GatewayThread, other_gateway: GatewayThread, scene: Scene
) -> None:
    """Each gateway tells of its own, and both messages are on their way at once."""
    for process in (gateway, other_gateway):
        process.holds_back("gathering")
    older = gateway.device(scene.token(), device="phone")
    newer = other_gateway.device(scene.token(), device="phone")
    for process in (gateway, other_gateway):
        process.do(process.gateway.gathering.write())
    assert older.is_closed()[0] == protocol.REPLACED
    said = scene.tells()
    assert titles(newer.hears_changes(1)) == said


def test_other_devices_and_nameless_ones_replace_nobody(
    alice: Device, gateway: GatewayThread, scene: Scene
) -> None:
    others = [gateway.device(scene.token(), **name) for name in ({"device": "tablet"}, {}, {})]
    gateway.device(scene.token("bob"), device="phone")
    for device in (alice, *others):
        device.hears_nothing_before_pong()


def test_a_devices_name_counts_up_to_64_characters(gateway: GatewayThread, scene: Scene) -> None:
    first = gateway.device(scene.token(), device="d" * 64 + "one")
    gateway.device(scene.token(), device="d" * 64 + "two")
    assert first.is_closed()[0] == protocol.REPLACED


def test_syncs_cost_more_than_other_messages(alice: Device, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MESSAGES_A_SECOND", 0.0)
    for _ in range(int(protocol.MESSAGES_BURST / protocol.DEAR)):
        alice.says("sync", since={"epoch": "e1", "seq": 0})
        alice.hears("ready")
    alice.says("ping")
    assert alice.is_closed()[0] == protocol.TOO_MANY_MESSAGES


def test_one_sockets_query_holds_up_no_other_socket(
    alice: Device, gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that waits for the database is not in the way of another session, nor of the gateway."""
    bob = gateway.device(scene.token("bob"))
    gate, welcome = Gate(), queries.welcome
    monkeypatch.setattr(queries, "welcome", lambda player: (gate.passes(), welcome(player))[1])
    alice.says("sync", since={"epoch": "e1", "seq": 0})
    gate.has_been_reached()
    bob.hears_nothing_before_pong()
    said = scene.tells("bob")
    assert titles(bob.hears_changes(1)) == said
    gate.opens()
    alice.hears("ready")
