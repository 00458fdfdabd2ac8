"""The players' sockets: connect, follow the protocol, hand on what is new."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

SUBPROTOCOL = Subprotocol("clarion.v1")
ACK_EVERY = 16
"""Well inside the window of 64 un-acked changes."""
ACK_AFTER_S = 0.2

OnNew = Callable[[str, dict[str, Any]], None]


class Device:
    """One player's socket. It shows each change once and keeps the order that the server promises."""

    def __init__(self, url: str, player: str, token: str, on_new: OnNew) -> None:
        """``on_new`` gets (player, notification) for each that is new to this device."""
        self._url, self._player, self._token, self._on_new = socket_url(url), player, token, on_new
        self._cursor = self._acked = 0
        self._shown: set[str] = set()
        self.frames_with_gaps = 0
        self.ready = asyncio.Event()

    async def run(self) -> None:
        """Stay connected until cancelled; a socket that the server closes is an error of the test."""
        async with connect(self._url, subprotocols=[SUBPROTOCOL], compression=None, max_size=None) as socket:
            await self._send(socket, {"type": "connect", "token": self._token, "device": self._player})
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._ack_now_and_then(socket))
                async for text in socket:
                    await self._handle(socket, msgspec.json.decode(text))
                raise ConnectionError(f"the server closed {self._player}'s socket: {socket.close_code}")

    async def _handle(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["type"] == "ready":
            self._cursor = self._acked = frame["head"]
            self.ready.set()
        elif frame["type"] == "changes":
            self._apply(frame)
            if self._cursor - self._acked >= ACK_EVERY:
                await self._ack(socket)
        elif frame["type"] == "error":
            raise ConnectionError(
                f"the server refused {frame.get('re')}: {frame.get('code')} {frame.get('detail')}"
            )

    def _apply(self, frame: dict[str, Any]) -> None:
        if frame["to"] <= self._cursor:
            return
        if frame["from"] > self._cursor:
            self.frames_with_gaps += 1
        for item in frame["items"]:
            if not item.get("gone") and item["id"] not in self._shown:
                self._shown.add(item["id"])
                self._on_new(self._player, item)
        self._cursor = frame["to"]

    async def _ack_now_and_then(self, socket: ClientConnection) -> None:
        while True:
            await asyncio.sleep(ACK_AFTER_S)
            if self._cursor > self._acked:
                await self._ack(socket)
            elif self.ready.is_set():
                await asyncio.sleep(1)

    async def _ack(self, socket: ClientConnection) -> None:
        self._acked = self._cursor
        await self._send(socket, {"type": "ack", "seq": self._cursor})

    @staticmethod
    async def _send(socket: ClientConnection, message: dict[str, Any]) -> None:
        await socket.send(msgspec.json.encode(message).decode())


def socket_url(url: str) -> str:
    """Return the player's socket below a server's URL."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return urlunsplit((scheme, parts.netloc, "/ws/v1/player", "", ""))
