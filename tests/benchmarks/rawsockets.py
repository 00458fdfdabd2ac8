"""Sockets that cost next to nothing: they count frames by their headers, so that the server is what is measured.

A whole library would take as long to read a frame as the server to write it, and both sides of a
ratio would come to the client's own pace.
"""

import asyncio
import base64
import os
import struct
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

SHORT, LONG = 126, 127


class RawSocket(asyncio.Protocol):
    """Shakes hands, says one thing, then keeps each text frame and when the last came."""

    def __init__(self, path: str, host: str, subprotocol: str = "") -> None:
        self._path, self._host, self._subprotocol = path, host, subprotocol
        self._buffer = bytearray()
        self._transport: Any = None
        self.open = asyncio.Event()
        self.frames: list[bytes] = []
        self.last = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        wanted = f"Sec-WebSocket-Protocol: {self._subprotocol}\r\n" if self._subprotocol else ""
        transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n{wanted}\r\n".encode()
        )

    def say(self, text: str) -> None:
        """Send a text frame, masked as clients must."""
        body, mask = text.encode(), os.urandom(4)
        head = (
            bytes([0x81, 0x80 | len(body)])
            if len(body) < SHORT
            else b"\x81\xfe" + struct.pack(">H", len(body))
        )
        masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(body))
        self._transport.write(head + mask + masked)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self.open.is_set():
            head, found, rest = bytes(self._buffer).partition(b"\r\n\r\n")
            if not found:
                return
            assert b" 101 " in head.split(b"\r\n", 1)[0], head
            self._buffer = bytearray(rest)
            self.open.set()
        begin = 0
        while (end := self._frame(begin)) is not None:
            begin = end
        if begin:
            del self._buffer[:begin]
            self.last = time.perf_counter()

    def _frame(self, begin: int) -> int | None:
        """Take one frame; return where the next begins, or None while it is not whole."""
        buffer = self._buffer
        if len(buffer) < begin + 2:
            return None
        size, start = buffer[begin + 1], begin + 2
        if size == SHORT:
            size, start = int.from_bytes(buffer[begin + 2 : begin + 4]), begin + 4
        elif size == LONG:
            size, start = int.from_bytes(buffer[begin + 2 : begin + 10]), begin + 10
        if len(buffer) < start + size:
            return None
        if buffer[begin] & 0x0F == 1:
            self.frames.append(bytes(buffer[start : start + size]))
        return start + size

    def close(self) -> None:
        self._transport.close()


async def connected(url: str, path: str, count: int, subprotocol: str = "") -> list[RawSocket]:
    """Return so many open sockets."""
    at = urlsplit(url)
    loop = asyncio.get_running_loop()
    made: list[RawSocket] = []
    for _ in range(count):
        _, socket = await loop.create_connection(
            lambda: RawSocket(path, at.netloc, subprotocol), at.hostname, at.port
        )
        await asyncio.wait_for(socket.open.wait(), 30)
        made.append(socket)
    return made


async def until(sockets: Sequence[RawSocket], frames: int, seconds: float = 120) -> float:
    """Wait until all have so many frames together; return when the last one came."""
    async with asyncio.timeout(seconds):
        while sum(len(each.frames) for each in sockets) < frames:  # noqa: ASYNC110 - an event for each frame costs more
            await asyncio.sleep(0.005)
    return max(each.last for each in sockets)
