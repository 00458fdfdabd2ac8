"""Hints in, frames out."""

import asyncio

from notifications.gateway import metrics, protocol
from notifications.gateway.repair import Repair
from notifications.gateway.socket import Socket
from notifications.gateway.sockets import Sockets
from notifications.push import publishing
from notifications.push.transport import Announced, Change, Changes, Message, Newest

INBOUND_MAX = 1_000
"""Messages that wait. Beyond it, reading what is missing from the database is the shorter way."""
AT_ONCE = 200
"""So many changes, then others get their turn: sending does not wait, and would shut them out."""


class Delivery:
    """Follows the one subscription of this process."""

    def __init__(self, sockets: Sockets, repair: Repair) -> None:
        """Take the sockets to serve, and who looks after those that fall behind."""
        self._sockets, self._repair = sockets, repair
        self._inbound: asyncio.Queue[Message] = asyncio.Queue()

    async def subscribe(self) -> None:
        """Receive until the connection breaks."""
        await publishing.transport().run(self.receive, self._repair.all_behind)

    def receive(self, message: Message) -> None:
        """Take a message; when too many wait, drop them and look at every player instead."""
        if self._inbound.qsize() >= INBOUND_MAX:
            while not self._inbound.empty():
                self._inbound.get_nowait()
            metrics.overflows.inc()
            self._repair.all_behind()
        self._inbound.put_nowait(message)

    async def run(self) -> None:
        """Deliver for ever."""
        while True:
            await self._deliver(await self._inbound.get())
            await asyncio.sleep(0)

    async def replace(self, newest: Newest) -> None:
        """Close this device's older sockets here. Who is older is the same question on every gateway."""
        for socket in self._sockets.of(newest.player_id):
            if socket.device == newest.device and _before(socket, newest):
                await socket.close(protocol.REPLACED, "the same device has connected again")

    async def _deliver(self, message: Message) -> None:
        if isinstance(message, Changes):
            for number, change in enumerate(message.changes, start=1):
                await self._hint(change)
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
        elif isinstance(message, Announced):
            await self._announce(message)
        else:
            for newest in message.newest:
                await self.replace(newest)

    async def _hint(self, change: Change) -> None:
        sent = False
        for socket in self._sockets.of(change.player_id):
            if await socket.changes(change.from_, change.to, change.frame, change.epoch):
                metrics.sent.labels("hint").inc()
                sent = True
            else:
                self._repair.fell_behind(socket)
        if sent:
            publishing.trace("push.sent", change)

    async def _announce(self, message: Announced) -> None:
        for number, socket in enumerate(self._sockets, start=1):
            ours = socket.game_id == message.game_id
            if ours and not await socket.announced(message.from_, message.to, message.frame, message.epoch):
                self._repair.fell_behind(socket)
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)


def _before(socket: Socket, newest: Newest) -> bool:
    """Compare by time, then by id, so that of two that meet exactly one stays."""
    return socket.id != newest.socket and (socket.since, socket.id) < (newest.since, newest.socket)
