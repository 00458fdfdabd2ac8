"""All sockets of one process, and the tasks that serve them."""

import asyncio
import uuid
from weakref import WeakKeyDictionary

import structlog

from notifications.gateway.delivery import Delivery
from notifications.gateway.gathering import Gathering
from notifications.gateway.look import Look
from notifications.gateway.repair import Repair
from notifications.gateway.socket import Socket
from notifications.gateway.sockets import Sockets
from notifications.gateway.supervision import supervised
from notifications.push import Newest

END_S = 2.0
"""So long the last socket of a process that stops waits for what is still to be written."""

log = structlog.get_logger(__name__)


class Gateway:
    """Lives on one event loop; starts with its first socket, ends with its last one when the process stops."""

    def __init__(self) -> None:
        """Start the tasks."""
        self.draining = False
        self.sockets = Sockets()
        self.repair = Repair(self.sockets)
        self.delivery = Delivery(self.sockets, self.repair)
        self.look = Look(self.sockets, self.repair)
        self.gathering = Gathering(self.sockets, uuid.uuid4())
        work = {
            "subscription": self.delivery.subscribe,
            "delivery": self.delivery.run,
            "repair": self.repair.run,
            "look": self.look.run,
            "gathering": self.gathering.run,
        }
        self.tasks = {name: supervised(name, run) for name, run in work.items()}

    async def register(self, socket: Socket) -> None:
        """Know a socket, before its player's head is read: a change is then in the read or in a later hint.

        Older sockets of the same device are closed, here at once, on other gateways soon.
        """
        self.sockets.add(socket)
        if socket.device:
            newest = Newest(socket.player_id, socket.device, socket.id, socket.since)
            await self.delivery.replace(newest)
            self.gathering.connected(newest)

    def forget(self, socket: Socket) -> None:
        """Forget a socket."""
        self.sockets.remove(socket)
        self.repair.forget(socket)

    def acked(self, socket: Socket, seq: int) -> None:
        """Take an ack; what waited for it goes on."""
        socket.ack(seq)
        self.gathering.ack(socket)
        if socket.lacks:
            self.repair.fell_behind(socket)

    async def drained(self) -> None:
        """End when the process stops and the last socket has gone: nobody counts as here any more."""
        if not self.draining or self.sockets.count or not self.tasks:
            return
        tasks, self.tasks = self.tasks, {}
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)
        try:
            async with asyncio.timeout(END_S):
                await self.gathering.close()
        except Exception as error:  # noqa: BLE001 - the lease ends by itself
            log.warning("gateway.end_failed", error=type(error).__name__)


_gateways: WeakKeyDictionary[asyncio.AbstractEventLoop, Gateway] = WeakKeyDictionary()


def current() -> Gateway:
    """Return the gateway of the running loop, started with its first socket."""
    loop = asyncio.get_running_loop()
    gateway = _gateways.get(loop)
    if gateway is None:
        gateway = _gateways[loop] = Gateway()
    return gateway
