"""The look once a second trusts no hint and no client. The tests look when they want to."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from events.models import Game
from notifications import announcements
from notifications.gateway import look, protocol, queries
from notifications.gateway.queries import Position
from notifications.gateway.socket import Socket
from notifications.push import publishing
from players.models import Player
from tests.notifications.gateway.devices import Device, GatewayThread, titles
from tests.notifications.gateway.eventually import Gate
from tests.notifications.gateway.scene import Scene
from tests.notifications.gateway.transports import NobodyHears

pytestmark = pytest.mark.usefixtures("no_look")


@pytest.fixture
def hints_are_lost(gateway: GatewayThread) -> None:  # noqa: ARG001 - which has subscribed by then
    publishing.use(NobodyHears())


@pytest.fixture
def alice(gateway: GatewayThread, scene: Scene) -> Device:
    return gateway.device(scene.token())


def socket_of(gateway: GatewayThread) -> Socket:
    (socket,) = gateway.ask(lambda: list(gateway.gateway.sockets))
    return socket


@pytest.mark.usefixtures("hints_are_lost")
def test_a_lost_hint_is_found(alice: Device, gateway: GatewayThread, scene: Scene) -> None:
    said = scene.tells(count=2)
    alice.hears_nothing_before_pong()
    gateway.looks()
    assert titles(alice.hears_changes(2)) == said


@pytest.mark.usefixtures("hints_are_lost")
def test_a_lost_announcement_is_found(alice: Device, gateway: GatewayThread, scene: Scene) -> None:
    announcements.put(scene.game.id, title="maintenance")
    alice.hears_nothing_before_pong()
    gateway.looks()
    assert titles([alice.hears("announcements")]) == ["maintenance"]


@pytest.mark.usefixtures("transactional_db")
def test_it_asks_one_question_for_all_sockets_and_hears_of_those_only_where_anything_differs() -> None:
    one, other = Scene(), Scene()
    alice, bob = one.player("alice", head=7).id, one.player("bob", blocked=datetime.now(UTC)).id
    carol = other.player("carol", head=3).id
    announcements.put(other.game.id, title="maintenance")
    Game.objects.filter(pk=other.game.pk).update(epoch=2)
    positions = [
        Position(alice, 7, 0, 1),
        Position(alice, 5, 0, 1),
        Position(alice, 9, 0, 1),
        Position(bob, 0, 0, 1),
        Position(carol, 3, 1, 2),
        Position(carol, 3, 0, 2),
        Position(carol, 3, 1, 1),
        Position(10**9, 0, 0, 1),
    ]
    with CaptureQueriesContext(connection) as asked:
        found = queries.deviations(positions)
    assert len(asked) == 1
    assert found == {
        1: (7, False, 0, 1), 2: (7, False, 0, 1), 3: (0, True, 0, 1), 5: (3, False, 1, 2), 6: (3, False, 1, 2),
        7: (0, True, 0, 0),
    }  # fmt: skip


@pytest.mark.usefixtures("hints_are_lost")
def test_heartbeats_tell_the_heads_so_that_a_client_that_is_behind_can_sync(
    alice: Device, gateway: GatewayThread, scene: Scene
) -> None:
    scene.tells(count=2)
    announcements.put(scene.game.id, title="maintenance")
    gateway.holds_back("repair")
    gateway.ask(lambda: setattr(socket_of_now(gateway), "heartbeat_at", 0.0))
    gateway.looks()
    heartbeat = alice.hears("heartbeat")
    assert (heartbeat["head"], heartbeat["announcements"]) == (2, 1)


def socket_of_now(gateway: GatewayThread) -> Socket:
    """As ``socket_of``, for those who are on the loop already."""
    return next(iter(gateway.gateway.sockets))


def test_heartbeats_come_in_time_and_with_jitter(alice: Device, gateway: GatewayThread) -> None:
    socket = socket_of(gateway)
    beats = {socket._beat() for _ in range(100)}
    assert len(beats) > 90
    assert all(protocol.HEARTBEAT_S * 0.8 <= beat <= protocol.HEARTBEAT_S for beat in beats)
    gateway.looks()
    alice.hears_nothing_before_pong()


def test_a_client_that_says_nothing_for_two_heartbeats_is_asked_to_come_back(
    alice: Device, gateway: GatewayThread
) -> None:
    socket = socket_of(gateway)
    gateway.ask(lambda: setattr(socket, "heard", socket.heard - 2 * protocol.HEARTBEAT_S + 5))
    gateway.looks()
    alice.hears_nothing_before_pong()  # which is heard
    gateway.ask(lambda: setattr(socket, "heard", socket.heard - 2 * protocol.HEARTBEAT_S - 5))
    gateway.looks()
    assert alice.is_closed()[0] == protocol.SILENT


def test_a_token_that_ends_ends_the_socket_and_says_get_another(
    alice: Device, gateway: GatewayThread
) -> None:
    socket = socket_of(gateway)
    gateway.ask(lambda: setattr(socket, "expires", datetime.now(UTC) - timedelta(milliseconds=1)))
    gateway.looks()
    code, frames = alice.is_closed()
    assert (code, frames[0]["type"]) == (protocol.TOKEN_EXPIRED, "bye")


def test_sockets_are_renewed_now_and_then_at_moments_of_their_own(
    alice: Device, gateway: GatewayThread
) -> None:
    socket = socket_of(gateway)
    hours = (socket.rotate_at - socket.heard) / 3_600
    assert 10.9 < hours < 12.1
    gateway.ask(lambda: setattr(socket, "rotate_at", 0.0))
    gateway.looks()
    assert alice.is_closed()[0] == protocol.ROTATE


@pytest.mark.parametrize("field", ["blocked", "erased"])
def test_a_player_who_is_blocked_or_erased_is_closed_by_the_next_look(
    alice: Device, gateway: GatewayThread, scene: Scene, field: str
) -> None:
    bob = gateway.device(scene.token("bob"))
    scene.player(**{field: datetime.now(UTC)})
    gateway.looks()
    assert alice.is_closed()[0] == protocol.PLAYER_REFUSED
    bob.hears_nothing_before_pong()


def test_when_the_epoch_is_renewed_every_socket_comes_back_and_is_reset(
    alice: Device, gateway: GatewayThread, scene: Scene
) -> None:
    Game.objects.filter(pk=scene.game.pk).update(epoch=2)
    gateway.looks()
    assert alice.is_closed()[0] == protocol.ROTATE


def test_a_player_whom_a_restored_database_does_not_know_comes_back_instead_of_staying_away(
    alice: Device, gateway: GatewayThread, scene: Scene
) -> None:
    Player.objects.filter(game=scene.game).delete()
    gateway.looks()
    assert alice.is_closed()[0] == protocol.ROTATE


def test_a_head_that_stays_below_what_was_sent_is_another_numbering(
    alice: Device, gateway: GatewayThread, scene: Scene
) -> None:
    """As after a failover that lost the newest changes: the same sequences would come a second time."""
    scene.tells(count=3)
    alice.hears_changes(3)
    Player.objects.filter(game=scene.game).update(head=2)
    gateway.looks()
    alice.hears_nothing_before_pong()
    gateway.looks()
    assert alice.is_closed()[0] == protocol.ROTATE


def test_a_hint_that_was_faster_than_the_look_is_no_other_numbering(
    alice: Device, gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice in a row: the look has read the head, then a change comes by a hint, then it compares."""
    deviations = queries.deviations
    for to in (1, 2):
        gate = Gate()

        def slow(positions: Any, gate: Gate = gate) -> Any:
            found = deviations(positions)
            gate.passes()
            return found

        monkeypatch.setattr(queries, "deviations", slow)
        looking = asyncio.run_coroutine_threadsafe(gateway.gateway.look.once(), gateway.loop)
        gate.has_been_reached()
        scene.tells()
        alice.hears_changes(to)
        gate.opens()
        looking.result(20)
    alice.hears_nothing_before_pong()


# -- the database is away --------------------------------------------------------------------------------


def away(*_: object) -> None:
    raise OperationalError("the connection is lost")


def test_while_the_database_is_away_sockets_stay_and_are_told_once_and_once_when_it_is_back(
    alice: Device, gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing.use(NobodyHears())
    said = scene.tells()
    with monkeypatch.context() as weather:
        weather.setattr(queries, "deviations", away)
        for _ in range(3):
            gateway.looks()
        assert alice.hears("status")["mode"] == "degraded"
        alice.hears_nothing_before_pong()
    gateway.looks()
    assert alice.hears("status")["mode"] == "normal"
    assert titles(alice.hears_changes(1)) == said


def test_while_the_database_is_away_tokens_still_end(
    alice: Device, gateway: GatewayThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "deviations", away)
    socket = socket_of(gateway)
    gateway.ask(lambda: setattr(socket, "expires", datetime.now(UTC) - timedelta(milliseconds=1)))
    gateway.looks()
    assert alice.is_closed()[0] == protocol.TOKEN_EXPIRED


def test_a_database_that_hangs_is_away_as_well_and_heartbeats_go_on(
    alice: Device, gateway: GatewayThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate()
    monkeypatch.setattr(look, "ANSWER_S", 0.05)
    monkeypatch.setattr(queries, "deviations", lambda _positions: gate.passes())
    gateway.ask(lambda: setattr(socket_of_now(gateway), "heartbeat_at", 0.0))
    gateway.looks()
    assert alice.hears("status")["mode"] == "degraded"
    assert alice.hears("heartbeat")["head"] == 0
    gate.opens()


def test_who_has_not_connected_yet_is_told_nothing_of_the_weather(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first frame must be ready."""
    gate, welcome = Gate(), queries.welcome
    gateway.device(scene.token("bob"))
    monkeypatch.setattr(queries, "welcome", lambda player: (gate.passes(), welcome(player))[1])
    monkeypatch.setattr(queries, "deviations", away)
    device = gateway.device()
    device.says("connect", token=scene.token())
    gate.has_been_reached()
    gateway.looks()
    gate.opens()
    device.hears("ready")
