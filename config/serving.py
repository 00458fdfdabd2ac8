"""Our daphne: the same server and the same options, with a stop that finishes what is under way.

``python -m config.serving [daphne's options] config.asgi:application``
"""

import asyncio
import socket
import sys
from functools import partial
from typing import Any, cast

import structlog
from daphne.cli import CommandLineInterface
from daphne.server import Server
from twisted.internet import defer, reactor
from twisted.internet.main import CONNECTION_DONE
from twisted.python.failure import Failure
from twisted.web.http import _GenericHTTPChannelProtocol

from config.draining import Drain, is_socket, say_last
from config.leaving import Deadline, at_once_when_told_again, join_beside, leave, stop_all
from events.stopping import STOPPING

__all__ = ["CommandLine", "DrainingServer", "reactor"]  # the reactor that daphne chose: import it from here

FINISH_S = 24.0
"""So long after the signal a request may last; the promise is that a process is gone after 30 s."""
LEAVE_S = 29.0
REQUESTS = _GenericHTTPChannelProtocol
"""What Twisted has on a connection for requests; once it is a player's socket, daphne has put another there."""
BACKLOG_MAX = 10_000
BESIDE_S = 2.0
"""So long what drains lanes beside the server may take for its last batch, which it had since the signal."""


log = structlog.get_logger(__name__)


class DrainingServer(Server):  # type: ignore[misc] # daphne ships no types
    """Ends sockets by their good-bye and requests by their answer; says why it cuts a socket off.

    Daphne 4.2.3 cancels every application at once, requests too; and it looks for the
    application of every connection, while a request whose body is still coming in has none:
    the error that follows skips the wait, and all sockets are cut off (1006).
    """

    def __init__(
        self, *args: Any, finish_s: float = FINISH_S, leave_s: float = LEAVE_S, **options: Any
    ) -> None:
        """Take daphne's options; cut requests off after ``finish_s``, and be gone after ``leave_s``."""
        super().__init__(*args, **options)
        self._finish_s, self._leave_s = finish_s, leave_s
        self._ports: list[Any] = []

    def listen_success(self, port: Any) -> None:
        """Keep what listens, to end it by itself."""
        super().listen_success(port)
        self._ports.append(port)

    def protocol_connected(self, protocol: Any) -> None:
        """Have a client that sends too much closed with its code (1009) instead of dropped (1006).

        The limit is for what clients send: what we send goes out whole.
        """
        super().protocol_connected(protocol)
        if is_socket(protocol):
            protocol.failByDrop = False
            protocol.sendMessage = partial(_send_whole, protocol)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        """Let a process that ends give each connection one answer more, and no request after it."""
        if STOPPING.is_set() and message["type"] == "http.response.start":
            say_last(protocol)
        await super().handle_reply(protocol, message)

    def kill_all_applications(self) -> Any:
        """Return what the reactor waits for before it stops; whatever works beside it begins nothing new."""
        from django.conf import settings  # noqa: PLC0415 - this file is loaded before Django is

        STOPPING.set()
        at_once_when_told_again()
        Deadline(self._leave_s).begin()
        drain = Drain(self, delay_s=settings.CLARION_DRAIN_DELAY, finish_s=self._finish_s)
        return defer.Deferred.fromFuture(asyncio.ensure_future(_logged(drain)))

    @property
    def listened(self) -> bool:
        """Tell whether it ever had a port."""
        return bool(self._ports)

    async def stop_listening(self) -> None:
        """Take the connections that the kernel has made already, and close at once: it would break later ones.

        Twisted's own ``stopListening`` closes a round of the loop later.
        """
        for port in self._ports:
            port.numberAccepts = BACKLOG_MAX  # it has adapted to taking one or two at a time
            port.stopReading()
            port.doRead()
            port.connectionLost(Failure(CONNECTION_DONE))  # type: ignore[no-untyped-call] # Twisted's

    def waits_for_clients(self) -> bool:
        """Tell whether there are bytes that clients have not taken yet."""
        return bool(cast("Any", reactor).getWriters())

    def close_idle(self) -> bool:
        """Close what waits for another request; tell whether some have brought one that was not read yet.

        The reactor would close them too, some rounds later, and with them the requests that came meanwhile.
        """
        readers = cast("Any", reactor).getReaders()
        waiting = [each for each in readers if isinstance(getattr(each, "protocol", None), REQUESTS)]
        idle = [each for each in waiting if not _has_bytes(each.socket)]
        for each in idle:
            each.connectionLost(Failure(CONNECTION_DONE))  # type: ignore[no-untyped-call] # Twisted's
        return len(idle) < len(waiting)


class CommandLine(CommandLineInterface):  # type: ignore[misc] # as above
    """Daphne's command line with our server."""

    server_class = DrainingServer


async def _logged(drain: Drain) -> None:
    """Say what went wrong: Twisted's log leads nowhere, and the process ends after this."""
    try:
        await drain.run()
    except Exception:
        log.exception("drain.failed")


def _send_whole(protocol: Any, *args: Any, **options: Any) -> None:
    """Send a message of any size.

    Autobahn holds messages that we send to the limit of those that we accept, and refuses larger
    ones: 64 changes at once are some 25 KiB, and a client that was away never got them.
    """
    limit, protocol.maxMessagePayloadSize = protocol.maxMessagePayloadSize, 0
    try:
        type(protocol).sendMessage(protocol, *args, **options)
    finally:
        protocol.maxMessagePayloadSize = limit


def _has_bytes(connection: socket.socket) -> bool:
    """Tell whether something has come that nobody has read; the end of a connection is nothing."""
    try:
        return bool(connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT))
    except OSError:
        return False


def main(arguments: list[str]) -> None:
    """Serve, then end in order: threads that hang hold nothing up. Never returns."""
    line = CommandLine()
    line.run(arguments)
    from events.log.appending import committer  # noqa: PLC0415 - Django is loaded by now

    stop_all((("beside", partial(join_beside, BESIDE_S)), ("append", committer.stop)))
    leave(0 if line.server.listened else 1)


if __name__ == "__main__":
    main(sys.argv[1:])
