"""The server's stop, as far as one process can tell; the rest is in the tests of real processes."""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pytest_django import Settings
from twisted.internet.tcp import Server
from twisted.web.http import HTTPFactory

from config import draining, serving
from events.stopping import Stopping


def test_a_server_that_stops_tells_whatever_works_beside_it(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, stopping: Stopping
) -> None:
    settings.CLARION_DRAIN_DELAY = 0.0
    for name in ("Deadline", "at_once_when_told_again"):  # they would be this process's
        monkeypatch.setattr(serving, name, lambda *_: _Nothing())
    server = serving.DrainingServer(application=None, endpoints=["tcp:0"])
    server.connections = {}
    monkeypatch.setattr(server, "waits_for_clients", lambda: False)

    async def stop() -> None:
        await server.kill_all_applications().asFuture(asyncio.get_running_loop())

    assert not stopping.is_set()
    asyncio.run(stop())
    assert stopping.is_set()


class _Nothing:
    def begin(self) -> None:
        pass


def test_children_see_that_their_parent_was_told() -> None:
    stopping, (reads, writes) = Stopping(), os.pipe()
    child = os.fork()
    if not child:
        os.read(reads, 1)
        os._exit(7 if stopping.is_set() else 1)
    assert not stopping.is_set()
    stopping.set()
    os.write(writes, b".")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


class _Reactor:
    """As much of one as a transport needs; nobody reads."""

    def __init__(self) -> None:
        self.readers: list[Any] = []

    def getReaders(self) -> list[Any]:  # noqa: N802 - Twisted's name
        return list(self.readers)

    def addReader(self, reader: Any) -> None:  # noqa: N802 - as above
        self.readers.append(reader)

    def removeReader(self, reader: Any) -> None:  # noqa: N802 - as above
        self.readers.remove(reader)

    def removeWriter(self, writer: Any) -> None:  # noqa: N802 - as above
        pass


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], socket.socket]]:
    """Make connections to a server whose loop is busy; each is returned from the client's side."""
    reactor, clients = _Reactor(), list[socket.socket]()
    monkeypatch.setattr(serving, "reactor", reactor)
    site = HTTPFactory()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def connect() -> socket.socket:
            clients.append(socket.create_connection(listening.getsockname(), timeout=5))
            taken, peer = listening.accept()
            taken.settimeout(0)
            protocol = site.buildProtocol(None)
            transport = Server(taken, protocol, peer, None, 1, reactor)
            protocol._channel.transport = transport
            return clients[-1]

        yield connect
    for client in clients:
        client.close()


def test_at_the_end_what_is_idle_is_closed_and_what_has_brought_a_request_is_not(
    connections: Callable[[], socket.socket],
) -> None:
    server = serving.DrainingServer(application=None, endpoints=["tcp:0"])
    idle, asks = connections(), connections()
    asks.sendall(b"GET /healthz HTTP/1.1\r\n")
    assert server.close_idle()
    assert idle.recv(1) == b""
    asks.settimeout(0)
    with pytest.raises(BlockingIOError):
        asks.recv(1)
    asks.close()


def test_a_server_with_idle_connections_only_has_closed_them_all(
    connections: Callable[[], socket.socket],
) -> None:
    server = serving.DrainingServer(application=None, endpoints=["tcp:0"])
    assert not server.close_idle()
    client = connections()
    assert not server.close_idle()
    assert client.recv(1) == b""


def test_a_request_that_came_at_the_very_end_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(draining, "ARRIVE_S", 0.0)
    server = _LastMoment()

    asyncio.run(draining.Drain(server, delay_s=0, finish_s=60).run())

    assert server.said == ["stopped listening", "a request has come", "it was answered", "closed"]


class _LastMoment:
    """A server whose last client asks when everything else has ended."""

    def __init__(self) -> None:
        self.connections: dict[Any, dict[str, Any]] = {}
        self.said: list[str] = []

    async def stop_listening(self) -> None:
        self.said.append("stopped listening")

    def waits_for_clients(self) -> bool:
        return False

    def close_idle(self) -> bool:
        if "a request has come" in self.said:
            self.said.append("closed")
            return False
        self.said.append("a request has come")
        asyncio.get_running_loop().call_soon(self._read)
        return True

    def _read(self) -> None:
        self.connections[self] = details = {"application_instance": None}
        asyncio.get_running_loop().call_later(0.1, self._answer, details)

    def _answer(self, details: dict[str, Any]) -> None:
        details["disconnected"] = 1.0
        self.said.append("it was answered")
