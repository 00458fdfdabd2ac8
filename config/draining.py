"""How a web process ends: announced, with nobody cut off in the middle of an answer or without a good-bye.

From the signal on ``/readyz`` says "draining" and every answer closes its connection. For a
while the port still listens and requests are served as ever, because a load balancer looks
only now and then; then new connections are refused, and what is under way is finished.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from time import monotonic
from typing import Any, Protocol

import structlog

ARRIVE_S = 1.0
"""So long the first request over a connection that was made just before the port was closed may take to arrive."""
FLUSH_S = 1.5
"""For so long a client may take for the last bytes that wait for it, once nothing else does."""
TICK_S = 0.02
UNKNOWN = "this process was told to end; whether the request had an effect is unknown: send the same again"

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

log = structlog.get_logger(__name__)


class Draining:
    """Wraps an ASGI application so that a cancelled connection ends normally."""

    def __init__(self, application: Application) -> None:
        """Take the application."""
        self._application = application

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one connection; its cancellation is its end, and nobody else's."""
        try:
            await self._application(scope, receive, send)
        except asyncio.CancelledError:
            return


class Connections(Protocol):
    """What a drain needs of a server."""

    connections: dict[Any, dict[str, Any]]
    """Of each protocol object of daphne's: ``application_instance``, ``connected``, ``disconnected``."""

    async def stop_listening(self) -> None:
        """Refuse new connections, and take those that have been made."""

    def waits_for_clients(self) -> bool:
        """Tell whether there are bytes that clients have not taken yet."""

    def close_idle(self) -> bool:
        """Close what waits for another request; tell whether some have brought one that was not read yet."""


class Drain:
    """What a server does between the signal and its end."""

    def __init__(self, server: Connections, *, delay_s: float, finish_s: float) -> None:
        """Listen for ``delay_s`` yet; cut off at ``finish_s``, counted from the signal, what is not done then."""
        self._server, self._delay_s, self._finish_s = server, delay_s, finish_s

    async def run(self) -> None:
        """Do all of it."""
        end = monotonic() + self._finish_s
        self._ask_sockets_to_come_back()
        await asyncio.sleep(min(self._delay_s, self._finish_s))
        await self._server.stop_listening()
        await self._finish(end)
        self._cut()
        await _until(lambda: not self._closing(), monotonic() + FLUSH_S)

    async def _finish(self, end: float) -> None:
        """Wait for all that is under way; connections that are kept alive may bring more until the very last."""
        arrived = min(monotonic() + ARRIVE_S, end)
        while True:
            await _until(lambda: monotonic() >= arrived and not (self._requests() or self._sockets()), end)
            await _until(lambda: not self._closing(), min(monotonic() + FLUSH_S, end))
            if monotonic() >= end or not (self._requests() or self._server.close_idle()):
                return
            await asyncio.sleep(TICK_S)  # for what came last to be read

    def _ask_sockets_to_come_back(self) -> None:
        """End the sessions, which take their time for it. Who has not been accepted yet will be refused."""
        for protocol in self._sockets():
            if protocol.state == protocol.STATE_OPEN:
                self._server.connections[protocol]["application_instance"].cancel()

    def _requests(self) -> list[Any]:
        """Return the requests that have no answer yet, those that are still being received too."""
        return [
            protocol
            for protocol, details in self._server.connections.items()
            if not is_socket(protocol) and "disconnected" not in details
        ]

    def _sockets(self) -> list[Any]:
        """Return the sockets whose session goes on."""
        return [
            protocol
            for protocol, details in self._server.connections.items()
            if is_socket(protocol)
            and (session := details.get("application_instance")) is not None
            and not session.done()
        ]

    def _closing(self) -> bool:
        """Tell whether a good-bye is still to be answered, or bytes to be taken."""
        waving = (
            is_socket(protocol) and "disconnected" not in details
            for protocol, details in self._server.connections.items()
        )
        return any(waving) or self._server.waits_for_clients()

    def _cut(self) -> None:
        """End what has had its time; whether a request had an effect is unknown, as 503 says."""
        for protocol in self._requests():
            log.warning("request.cut", path=_path(protocol), seconds=round(protocol.duration(), 1))
            with suppress(Exception):  # the client may be gone
                _refuse(protocol)
        for details in self._server.connections.values():
            if (application := details.get("application_instance")) is not None:
                application.cancel()


def is_socket(protocol: Any) -> bool:
    """Tell a player's socket from a request."""
    return getattr(protocol, "application_type", "") == "websocket"


def say_last(protocol: Any) -> None:
    """Have this answer close its connection: the client's next request then finds a process that stays."""
    protocol.responseHeaders.setRawHeaders(b"connection", [b"close"])
    if protocol.channel is not None:  # else the client has gone
        protocol.channel.persistent = False


def _refuse(protocol: Any) -> None:
    if protocol._response_started:
        protocol.finish()
        return
    from events.problems import problem  # noqa: PLC0415 - this file is loaded before Django is

    told = problem(503, "unavailable", UNKNOWN, headers={"Retry-After": "1"})
    headers = [(name.encode(), value.encode()) for name, value in told.items()]
    say_last(protocol)
    if not getattr(protocol, "path", None):
        protocol.clientproto = b"HTTP/1.1"  # Twisted knows it with the body's last byte
    protocol.handle_reply({"type": "http.response.start", "status": told.status_code, "headers": headers})
    protocol.handle_reply({"type": "http.response.body", "body": told.content})


def _path(protocol: Any) -> Any:
    path = getattr(protocol, "path", None)  # None while the request's first line is all that has come
    return path.decode("ascii", "replace") if path else "not received"


async def _until(done: Callable[[], bool], end: float) -> None:
    while not done() and monotonic() < end:  # noqa: ASYNC110 - daphne tells nobody what has ended
        await asyncio.sleep(TICK_S)
