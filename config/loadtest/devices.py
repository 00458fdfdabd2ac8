"""The players' sockets: connect, follow the protocol, hand on what is new."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

SUBPROTOCOL = Subprotocol("clarion.v1")
ACK_EVERY = 16
"""Well inside the window of 64 un-acked changes."""
ACK_AFTER_S = 0.2
PING_S = 10.0
"""Well below the server's heartbeat of 25 s, after twice which it closes a silent socket."""

OnNew = Callable[[str, dict[str, Any]], None]


class DeviceLost(Exception):
    """A socket ended that should have stayed."""


class Device:
    """One player's socket. It shows each change once and keeps the order that the server promises."""

    def __init__(self, url: str, player: str, token: str, on_new: OnNew) -> None:
        """``on_new`` gets (player, notification) for each that is new to this device."""
        self._url, self._player, self._token, self._on_new = socket_url(url), player, token, on_new
        self._epoch = ""
        self._cursor = self._acked = 0
        self._shown: set[str] = set()
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Stay connected until cancelled.

        Raises:
            DeviceLost: the server closed the socket or refused a message, which it must not do to this client.
        """
        async with connect(self._url, subprotocols=[SUBPROTOCOL], compression=None, max_size=None) as socket:
            await self._send(socket, {"type": "connect", "token": self._token, "device": self._player})
            speaking = asyncio.create_task(self._speak_now_and_then(socket))
            try:
                async for text in socket:
                    await self._handle(socket, msgspec.json.decode(text))
            except ConnectionClosed:
                pass  # the close code says why
            finally:
                speaking.cancel()
            raise DeviceLost(f"the server closed {self._player}'s socket with {socket.close_code}")

    async def _handle(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        kind = frame["type"]
        if kind == "ready":
            self._welcome(frame)
        elif kind == "changes":
            await self._changes(socket, frame)
        elif kind == "heartbeat" and frame["head"] > self._cursor:
            await self._sync(socket)
        elif kind == "error":
            raise DeviceLost(
                f"the server refused {frame.get('re')}: {frame.get('code')} {frame.get('detail')}"
            )

    def _welcome(self, frame: dict[str, Any]) -> None:
        """Begin at the head; the ready that answers a sync leaves the cursor where it is."""
        if not self.ready.is_set():
            self._epoch, self._cursor = frame["epoch"], frame["head"]
            self._acked = self._cursor
            self.ready.set()

    async def _changes(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["from"] > self._cursor:
            await self._sync(socket)
        elif frame["to"] > self._cursor:
            for item in frame["items"]:
                if not item.get("gone") and item["id"] not in self._shown:
                    self._shown.add(item["id"])
                    self._on_new(self._player, item)
            self._cursor = frame["to"]
            if self._cursor - self._acked >= ACK_EVERY:
                await self._ack(socket)

    async def _speak_now_and_then(self, socket: ClientConnection) -> None:
        """Ack what is new, and else say something often enough not to be taken for dead."""
        quiet_s = 0.0
        while True:
            await asyncio.sleep(ACK_AFTER_S)
            quiet_s += ACK_AFTER_S
            if self._cursor > self._acked:
                await self._ack(socket)
                quiet_s = 0.0
            elif quiet_s >= PING_S:
                await self._send(socket, {"type": "ping"})
                quiet_s = 0.0

    async def _ack(self, socket: ClientConnection) -> None:
        self._acked = self._cursor
        await self._send(socket, {"type": "ack", "seq": self._cursor})

    async def _sync(self, socket: ClientConnection) -> None:
        await self._send(socket, {"type": "sync", "since": {"epoch": self._epoch, "seq": self._cursor}})

    @staticmethod
    async def _send(socket: ClientConnection, message: dict[str, Any]) -> None:
        await socket.send(msgspec.json.encode(message).decode())


def socket_url(url: str) -> str:
    """Return the player's socket below a server's URL."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, "/ws/v1/player", "", ""))
