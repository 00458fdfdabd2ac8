"""Our daphne: the same server and the same options, with a stop that waits for every connection.

``python -m config.serving [daphne's options] config.asgi:application``
"""

import asyncio
from functools import partial
from typing import Any

from daphne.cli import CommandLineInterface
from daphne.server import Server
from twisted.internet import defer, reactor

from events.stopping import STOPPING

__all__ = ["CommandLine", "DrainingServer", "reactor"]  # the reactor that daphne chose: import it from here


class DrainingServer(Server):  # type: ignore[misc] # daphne ships no types
    """Ends every application by cancellation and waits for all of them; says why it cuts a socket off.

    Daphne 4.2.3 looks for the application of every connection; a request whose body is still
    coming in has none, and the error that follows skips the wait: all players' sockets are cut
    off (1006) because of one slow upload.
    """

    def protocol_connected(self, protocol: Any) -> None:
        """Have a client that sends too much closed with its code (1009) instead of dropped (1006).

        The limit is for what clients send: what we send goes out whole.
        """
        super().protocol_connected(protocol)
        if hasattr(protocol, "failByDrop"):
            protocol.failByDrop = False
            protocol.sendMessage = partial(_send_whole, protocol)

    def kill_all_applications(self) -> Any:
        """Return what the reactor waits for before it stops; whatever works beside it begins nothing new."""
        STOPPING.set()
        found = (details.get("application_instance") for details in self.connections.values())
        running = [application for application in found if application is not None and not application.done()]
        for application in running:
            application.cancel()
        return defer.Deferred.fromFuture(asyncio.ensure_future(_all(running)))


class CommandLine(CommandLineInterface):  # type: ignore[misc] # as above
    """Daphne's command line with our server."""

    server_class = DrainingServer


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


async def _all(running: list["asyncio.Future[Any]"]) -> None:
    await asyncio.gather(*running, return_exceptions=True)


if __name__ == "__main__":
    CommandLine.entrypoint()
