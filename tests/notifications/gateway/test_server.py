"""The socket on the real server: what clients see through a real connection."""

import json
import socket as sockets
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from notifications.gateway import protocol
from tests.notifications.gateway.servers import GameOnServer, OneProcess, OnServices, SocketOnServer
from tests.settings import BACKEND

Server = OneProcess | OnServices


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for this file; the test that stops it is the last one."""
    folder: Path = tmp_path_factory.mktemp("clarion")
    with OnServices() if BACKEND == "services" else OneProcess(folder) as running:
        yield running


@pytest.fixture(scope="module")
def game(server: Server) -> Iterator[GameOnServer]:
    """A game on it."""
    with closing(server.game()) as made:
        yield made


def closed(socket: SocketOnServer) -> int | None:
    """Wait for the server to close; return the code that the client sees, None for 1006."""
    with pytest.raises(ConnectionClosed) as end:
        for _ in socket.frames():
            pass
    return end.value.rcvd.code if end.value.rcvd else None


def test_what_a_game_server_posts_lights_up_the_players_devices(game: GameOnServer) -> None:
    phone, tablet = game.device("alice"), game.device("alice")
    game.tells("alice", title="You are invited")
    for device in (phone, tablet):
        frame = device.hears("changes")
        assert [item["title"] for item in frame["items"]] == ["You are invited"]


def test_a_client_whose_connection_was_cut_resumes_where_it_stood(game: GameOnServer) -> None:
    bob = game.device("bob")
    game.tells("bob", title="before")
    seen = bob.hears("changes")
    bob.breaks()
    game.tells("bob", title="meanwhile")
    again = game.device("bob", since={"epoch": bob.ready["epoch"], "seq": seen["to"], "announcements": 0})
    assert again.ready["resume"] == "ok"
    frame = again.hears("changes")
    assert (frame["from"], [item["title"] for item in frame["items"]]) == (seen["to"], ["meanwhile"])


def test_every_refusal_reaches_the_client_as_its_code(game: GameOnServer) -> None:
    other = game.socket(subprotocols=[Subprotocol("clarion.v9")])
    assert other.connection.subprotocol == "clarion.v9"
    assert closed(other) == protocol.WRONG_VERSION
    wrong = game.socket()
    wrong.says("connect", token="none of ours")
    assert closed(wrong) == protocol.TOKEN_WRONG
    binary = game.socket()
    binary.connection.send(b"\x00")
    assert closed(binary) == protocol.MALFORMED
    first, second = game.device("carol", device="phone"), game.device("carol", device="phone")
    assert closed(first) == protocol.REPLACED
    second.says("ping")
    second.hears("pong")


@pytest.mark.parametrize("size", [16 * 1024 + 1, 1024 * 1024])
def test_too_large_a_message_closes_the_socket_and_is_not_kept(game: GameOnServer, size: int) -> None:
    """By the server itself, before anything of ours has it in memory; 1009 is the standard's own code."""
    mallory = game.device("mallory")
    mallory.connection.send("x" * size)
    assert closed(mallory) == 1009


def test_a_message_of_16_kib_is_read(game: GameOnServer) -> None:
    device = game.device("dave")
    start, end = '{"type":"dance","pad":"', '"}'
    device.connection.send(start + "x" * (16 * 1024 - len(start + end)) + end)
    assert device.hears("error")["re"] == "dance"


def test_a_frame_larger_than_what_clients_may_send_arrives_whole(game: GameOnServer) -> None:
    frank, watcher = game.device("frank"), game.device("frank")
    frank.breaks()
    for number in range(64):
        game.tells("frank", title=f"{number} " + "while he was away " * 10)
    while watcher.hears("changes")["to"] < frank.ready["head"] + 64:
        pass  # workers decide when they come to it
    since = {"epoch": frank.ready["epoch"], "seq": frank.ready["head"], "announcements": 0}
    again = game.device("frank", since=since)
    frame = again.hears("changes")
    assert len(json.dumps(frame)) > protocol.MESSAGE_MAX
    assert {int(item["title"].split()[0]) for item in frame["items"]} == set(range(64))
    again.connection.send("x" * (protocol.MESSAGE_MAX + 1))
    assert closed(again) == 1009


def test_a_client_that_does_not_read_gets_a_window_and_holds_up_nobody(game: GameOnServer) -> None:
    frozen, quick = game.device("grace"), game.device("grace")
    for number in range(80):
        game.tells("grace", title=str(number))
    titles: list[str] = []
    while len(titles) < 80:
        frame = quick.hears("changes")
        titles += [item["title"] for item in frame["items"]]
        quick.says("ack", seq=frame["to"])
    frozen.says("ping")
    had: list[str] = []
    for frame in frozen.frames():
        if frame["type"] == "pong":
            break
        had += [item["title"] for item in frame.get("items", ())]
    assert had == titles[: protocol.WINDOW]


def test_native_clients_may_send_the_token_in_the_handshake(game: GameOnServer) -> None:
    device = game.socket(additional_headers={"Authorization": f"Bearer {game.token('erin')}"})
    device.says("connect")
    assert device.hears("ready")["resume"] == "new"


def test_pages_of_other_origins_are_refused(game: GameOnServer) -> None:
    device = game.socket(origin="https://mallory.example")
    device.says("connect", token=game.token())
    assert closed(device) == protocol.TOKEN_WRONG


def test_the_schema_of_the_messages_is_served(server: Server) -> None:
    answer = httpx.get(f"http://127.0.0.1:{server.port}/api/schema/socket.json")
    assert answer.headers["content-type"] == "application/schema+json"
    assert {"fromClient", "fromServer", "closeCode"} <= answer.json()["$defs"].keys()


def test_when_the_process_stops_all_are_asked_to_come_back_and_nobody_sees_1006(
    server: Server, game: GameOnServer
) -> None:
    """With a request whose body is still coming in, and sockets that have not connected yet."""
    with closing(sockets.create_connection(("127.0.0.1", server.port))) as slow:
        slow.sendall(b"POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100\r\n\r\n{")
        devices = [game.device(f"p{number}") for number in range(20)]
        silent = [game.socket() for _ in range(3)]
        server.is_told_to_stop()
        byes = [device.hears("bye") for device in devices]
        assert {(bye["code"], *bye["after"]) for bye in byes} == {(protocol.RESTART, 2, 45)}
        assert {closed(device) for device in (*devices, *silent)} == {protocol.RESTART}
    assert server.stops() == 0
