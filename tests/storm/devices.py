"""Players' devices whose connection breaks at random moments, without a good-bye; they follow the protocol."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.typing import Subprotocol

from tests.storm.plan import CONNECTED, READERS, TWO_DEVICES, player

ACK_EVERY = 16
TICK_S = 0.1
LIVES_S = (0.2, 3.0)
"""So long a connection lasts while the weather is bad."""
READS = 0.05
"""So many of what is shown is read, by those who read."""
STOP = range(4000, 4100)
"""Close codes that tell a client to stay away."""


class ProtocolBroken(Exception):
    """The server did what the protocol forbids, or asked for what no well-behaved client deserves."""


@dataclass(kw_only=True)
class Standing:
    """What a device keeps in storage, in one write."""

    epoch: str = ""
    seq: int = 0
    announcements: int = 0


class Device:
    """One device. ``shown`` are the ids that it has shown, in that order."""

    def __init__(self, url: str, who: str, name: str, token: str, *, reads: bool, seed: int) -> None:
        """Stand at the beginning."""
        self._url, self._token, self._name, self._reads = url, token, name, reads
        self.who = who
        self.stands = Standing()
        self.shown: list[str] = []
        self.unread = 0
        self.read_through = 0
        self.cuts = 0
        self.gaps = 0
        self.wanted: set[str] = set()
        """Ids that it wants to be read and has not seen read."""
        self.has_read: set[str] = set()
        self.ready = asyncio.Event()
        self.calm = False
        self._rng = random.Random(seed)
        self._acked = 0
        self._known: set[str] = set()
        self._socket: ClientConnection | None = None

    async def run(self) -> None:
        """Live until cancelled: connect, listen, be cut off, come back."""
        while True:
            try:
                async with self._connected() as socket:
                    await self._live(socket)
            except (ConnectionClosed, OSError, InvalidHandshake) as error:
                self._refuse_if_final(error)
            self.ready.clear()
            await asyncio.sleep(self._rng.uniform(0, 0.2))

    async def say(self, **message: Any) -> None:
        """Send a message over the connection that there is."""
        assert self._socket is not None
        await self._send(self._socket, message)

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[ClientConnection]:
        protocols = [Subprotocol("clarion.v1")]
        async with connect(
            self._url, subprotocols=protocols, compression=None, ping_interval=None, close_timeout=1
        ) as socket:
            hello: dict[str, Any] = {"type": "connect", "token": self._token, "device": self._name}
            if self.stands.epoch:
                hello["since"] = vars(self.stands)
            self._socket = socket
            self._acked = self.stands.seq
            await self._send(socket, hello)
            yield socket

    async def _live(self, socket: ClientConnection) -> None:
        beside = [asyncio.create_task(work(socket)) for work in (self._tick, self._cut)]
        try:
            async for text in socket:
                await self._handle(socket, msgspec.json.decode(text))
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)  # they may have met the end first

    async def _cut(self, socket: ClientConnection) -> None:
        """Break the connection as a tunnel does: no close frame, whatever is under way is gone."""
        await asyncio.sleep(self._rng.uniform(*LIVES_S))
        if not self.calm:
            self.cuts += 1
            socket.transport.abort()

    async def _tick(self, socket: ClientConnection) -> None:
        """Say now and then what there is to say: how far it is, and what it has read."""
        rounds = 0
        while True:
            await asyncio.sleep(TICK_S)
            rounds += 1
            if self.stands.seq > self._acked and self.ready.is_set():
                await self._ack(socket)
            elif rounds % 100 == 0:
                await self._send(socket, {"type": "ping"})
            if self.wanted and self.ready.is_set() and rounds % 5 == 0:  # again, if an earlier word was lost
                await self._send(socket, {"type": "read", "ids": sorted(self.wanted)[:200]})

    async def _handle(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind == "ready":
            self._welcome(frame)
        elif kind == "changes":
            await self._changes(socket, frame)
        elif kind == "heartbeat" and frame["head"] > self.stands.seq:
            await self._sync(socket)
        elif kind == "error" and frame["re"] not in {"connection", "read"}:
            raise ProtocolBroken(f"{self._name}: {frame}")

    def _welcome(self, frame: dict[str, Any]) -> None:
        expected = "ok" if self.stands.epoch else "new"
        if frame["resume"] != expected:
            raise ProtocolBroken(f"{self._name} at {self.stands} was told {frame}")
        if expected == "new":
            self.stands = Standing(
                epoch=frame["epoch"], seq=frame["head"], announcements=frame["announcements"]
            )
            self.unread = frame["unread"]
        self.ready.set()

    async def _changes(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["from"] > self.stands.seq:
            self.gaps += 1
            await self._sync(socket)
            return
        if frame["to"] <= self.stands.seq:
            return
        last = self.stands.seq
        for item in frame["items"]:
            if item["seq"] <= self.stands.seq:
                continue
            if not last < item["seq"] <= frame["to"]:
                raise ProtocolBroken(
                    f"{self._name}: {item['seq']} after {last} in {frame['from']}..{frame['to']}"
                )
            last = item["seq"]
            self._show(item)
        self.stands.seq = frame["to"]
        self.unread = frame["unread"]
        self.read_through = frame.get("read_through", self.read_through)
        if self.stands.seq - self._acked >= ACK_EVERY:
            await self._ack(socket)

    def _show(self, item: dict[str, Any]) -> None:
        if item.get("gone"):
            raise ProtocolBroken(f"{self._name}: nothing was taken back, but {item}")
        if item["read"] and item["id"] in self.wanted:
            self.wanted.discard(item["id"])
            self.has_read.add(item["id"])
        if item["id"] in self._known:
            return
        self._known.add(item["id"])
        self.shown.append(item["id"])
        if self._reads and not self.calm and self._rng.random() < READS:
            self.wanted.add(item["id"])

    async def _ack(self, socket: ClientConnection) -> None:
        self._acked = self.stands.seq
        await self._send(socket, {"type": "ack", "seq": self._acked})

    async def _sync(self, socket: ClientConnection) -> None:
        await self._send(socket, {"type": "sync", "since": vars(self.stands)})

    def _refuse_if_final(self, error: Exception) -> None:
        code = error.rcvd.code if isinstance(error, ConnectionClosed) and error.rcvd else None
        if code in STOP:
            raise ProtocolBroken(f"{self._name} was closed with {code}") from error

    @staticmethod
    async def _send(socket: ClientConnection, message: dict[str, Any]) -> None:
        await socket.send(msgspec.json.encode(message).decode())


def devices(url: str, tokens: dict[str, str]) -> list[Device]:
    """Return the devices of all players who are connected."""
    made = []
    for n in CONNECTED:
        for which in range(2 if n in TWO_DEVICES else 1):
            who, name = player(n), f"{player(n)}-{which}"
            made.append(Device(url, who, name, tokens[who], reads=n in READERS, seed=n * 10 + which))
    return made
