"""Coming in: who may, and which code tells those who may not. All of them are accepted first."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import OperationalError

from config.asgi import application
from notifications.gateway import protocol, queries
from players import tokens
from players.models import Player
from tests.notifications.gateway.devices import Device, GatewayThread
from tests.notifications.gateway.scene import Scene
from tests.players.people import given_player


def refusal(device: Device) -> tuple[int, str]:
    """Return code and detail of a socket that is closed without ever being ready."""
    code, frames = device.is_closed()
    assert len(frames) == 1
    assert str(frames[0]["code"]) == str(code)
    return code, frames[0]["detail"]


def test_ready_says_where_the_player_stands(gateway: GatewayThread, scene: Scene) -> None:
    scene.tells(count=3)
    ready = gateway.device(scene.token()).ready
    assert (ready["epoch"], ready["head"], ready["unread"], ready["announcements"]) == ("e1", 3, 3, 0)
    assert (ready["resume"], ready["heartbeat"], ready["window"]) == ("new", 25, 64)
    assert datetime.fromisoformat(ready["token_expires"]) > datetime.fromisoformat(ready["now"])


def test_who_is_not_known_yet_is_made(gateway: GatewayThread, scene: Scene) -> None:
    assert gateway.device(scene.token("newcomer")).ready["head"] == 0
    assert Player.objects.filter(game=scene.game, key="newcomer").exists()


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_native_clients_may_send_the_token_as_a_header(
    gateway: GatewayThread, scene: Scene, scheme: str
) -> None:
    device = gateway.device(headers=[(b"authorization", f"{scheme} {scene.token()}".encode())])
    assert device.connects()["resume"] == "new"


def test_a_token_in_the_url_is_not_looked_at(gateway: GatewayThread, scene: Scene) -> None:
    device = gateway.device(query=f"token={scene.token()}")
    device.says("connect")
    assert refusal(device) == (protocol.TOKEN_WRONG, "a token is needed")


def test_without_connect_in_time_the_socket_is_closed(
    gateway: GatewayThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "CONNECT_S", 0.05)
    assert refusal(gateway.device())[0] == protocol.SILENT


@pytest.mark.parametrize("chosen", [["clarion.v2"], ["chat", "clarion.v2"], []])
def test_another_version_is_refused_with_a_code_that_browsers_see(
    gateway: GatewayThread, chosen: list[str]
) -> None:
    """A browser that offered subprotocols and is given none fails with 1006 instead."""
    device = gateway.device(subprotocols=chosen)
    assert device.accepted["subprotocol"] == (chosen[0] if chosen else None)
    assert refusal(device)[0] == protocol.WRONG_VERSION


def test_our_version_is_chosen_among_others(gateway: GatewayThread) -> None:
    assert gateway.device(subprotocols=["chat", "clarion.v1"]).accepted["subprotocol"] == "clarion.v1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        '{"type":"ping"}',
        '{"type":"connect","token":7}',
        '{"type":"connect","since":{"seq":1}}',
    ],
)
def test_the_first_message_must_be_a_connect(gateway: GatewayThread, text: str) -> None:
    device = gateway.device()
    device.says_text(text)
    assert refusal(device)[0] == protocol.MALFORMED


def test_binary_frames_are_malformed(gateway: GatewayThread) -> None:
    device = gateway.device()
    device.says_bytes(b'{"type":"ping"}')
    assert refusal(device)[0] == protocol.MALFORMED


@pytest.mark.parametrize("letter", ["x", "가"], ids=["ascii", "wide"])
def test_a_message_over_16_kib_is_malformed_however_few_characters_it_has(
    gateway: GatewayThread, scene: Scene, letter: str
) -> None:
    device = gateway.device(scene.token())
    room = 16_384 - len('{"type":"dance","a":""}')
    fits = letter * (room // len(letter.encode()))
    device.says_text(f'{{"type":"dance","a":"{fits}"}}')
    assert device.hears("error")["re"] == "dance"
    device.says_text(f'{{"type":"dance","a":"{fits + letter}"}}')
    assert device.is_closed()[0] == protocol.MALFORMED


def signed(scene: Scene, **claims: Any) -> str:
    draft = tokens.draft(scene.game, "alice")
    return tokens.sign(tokens.Draft(kid=draft.kid, claims={**draft.claims, **claims}))


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (lambda _scene: "not a token", protocol.TOKEN_WRONG),
        (lambda scene: scene.token()[:-2] + "xx", protocol.TOKEN_WRONG),
        (lambda scene: signed(scene, aud="another-game"), protocol.TOKEN_WRONG),
        (lambda scene: signed(scene, iss="somebody"), protocol.TOKEN_WRONG),
        (lambda scene: signed(scene, exp=int(time.time()) - 60), protocol.TOKEN_EXPIRED),
    ],
    ids=["none of ours", "forged", "another game's", "another issuer's", "expired"],
)
def test_a_wrong_token_says_stop_and_an_expired_one_says_get_another(
    gateway: GatewayThread, scene: Scene, forge: Callable[[Scene], str], code: int
) -> None:
    device = gateway.device()
    device.says("connect", token=forge(scene))
    assert refusal(device)[0] == code


@pytest.mark.parametrize("field", ["blocked", "erased"])
def test_a_blocked_or_erased_player_is_told_to_stop(gateway: GatewayThread, scene: Scene, field: str) -> None:
    given_player(scene.game, "mallory", **{field: datetime.now(UTC)})
    device = gateway.device()
    device.says("connect", token=scene.token("mallory"))
    assert refusal(device)[0] == protocol.PLAYER_REFUSED


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        (b"https://play.example", True),
        (b"https://clarion.test", True),
        (b"https://mallory.example", False),
        (b"null", False),
    ],
)
def test_pages_of_other_origins_are_refused(
    gateway: GatewayThread, origin: bytes | None, allowed: bool
) -> None:
    scene = Scene(allowed_origins=["https://play.example"])
    device = gateway.device(headers=[] if origin is None else [(b"origin", origin)])
    device.says("connect", token=scene.token())
    if allowed:
        device.hears("ready")
    else:
        assert refusal(device)[0] == protocol.TOKEN_WRONG


def test_a_player_has_room_for_so_many_sockets(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SOCKETS_A_PLAYER", 2)
    first = gateway.device(scene.token(), device="phone")
    gateway.device(scene.token(), device="tablet")
    third = gateway.device()
    third.says("connect", token=scene.token(), device="laptop")
    assert refusal(third)[0] == protocol.TOO_MANY_SOCKETS
    gateway.device(scene.token("bob"), device="phone")
    first.leaves()
    assert gateway.device(scene.token(), device="laptop").ready


def test_a_device_that_comes_back_takes_its_older_sockets_place(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SOCKETS_A_PLAYER", 1)
    lost = gateway.device(scene.token(), device="phone")
    assert gateway.device(scene.token(), device="phone").ready
    assert lost.is_closed()[0] == protocol.REPLACED


def test_a_full_gateway_is_overloaded(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.device(scene.token())
    monkeypatch.setattr(protocol, "SOCKETS_A_PROCESS", 1)
    assert refusal(gateway.device())[0] == protocol.OVERLOADED


@pytest.mark.parametrize("question", ["identify", "welcome"])
def test_while_the_database_is_away_clients_are_asked_to_come_back(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch, question: str
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("the connection is lost")

    device = gateway.device()
    token = scene.token()
    monkeypatch.setattr(queries, question, away)
    device.says("connect", token=token)
    assert refusal(device)[0] == protocol.OVERLOADED
    assert gateway.gateway.sockets.count == 0


def test_a_bug_of_ours_says_come_back_and_is_logged(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    device = gateway.device()
    token = scene.token()
    monkeypatch.setattr(queries, "welcome", lambda _: 1 / 0)
    device.says("connect", token=token)
    code, detail = refusal(device)
    assert (code, "division" in detail) == (protocol.INTERNAL, False)
    assert "socket.failed" in caplog.text
    assert token not in caplog.text


def test_a_client_that_goes_away_in_the_middle_leaves_nothing(gateway: GatewayThread, scene: Scene) -> None:
    gateway.device().leaves()
    gateway.device(scene.token()).leaves()
    assert gateway.gateway.sockets.count == 0
    assert gateway.gateway.sockets.players == frozenset()


@pytest.mark.parametrize("path", ["/", "/ws/v1/players", "/ws/v1/player/", "/admin/"])
async def test_a_socket_at_another_address_is_refused_without_a_word_in_the_log(
    path: str, caplog: pytest.LogCaptureFixture
) -> None:
    sent: list[dict[str, object]] = []

    async def receive() -> dict[str, object]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    await application({"type": "websocket", "path": path, "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close"}]
    assert caplog.records == []
