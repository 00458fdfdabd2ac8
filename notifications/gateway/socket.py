"""One player's socket: a cursor, never a queue of payloads."""

import random
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from notifications.gateway import protocol
from notifications.gateway.protocol import WINDOW, frame

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Socket:
    """What the gateway knows of one socket. Used on the gateway's loop only."""

    def __init__(self, send: Send, player_id: int, game_id: int, device: str, expires: datetime) -> None:
        """Start registered, but not ready: hints that come now only say that it is behind."""
        self._send = send
        self.id = uuid.uuid4().hex
        self.player_id, self.game_id, self.device = player_id, game_id, device
        self.expires = expires
        self.ready = False
        self.closed = False
        self.cursor = self.acked = self.announcements = 0
        self.behind = False
        self.announcements_behind = False
        now = time.monotonic()
        self.heard = self.window_open = now
        self.rotate_at = now + random.uniform(*protocol.ROTATE_S)  # noqa: S311 - jitter
        self.heartbeat_at = now + self._beat()

    @property
    def upto(self) -> int:
        """The last sequence that may be sent before another ack."""
        return self.acked + WINDOW

    @property
    def blocked(self) -> bool:
        """Tell whether the window is full."""
        return self.cursor >= self.upto

    async def changes(self, from_: int, to: int, text: str) -> bool:
        """Send a frame if it is the next one; False marks the socket behind."""
        if not self.ready or self.behind:
            self.behind = True
            return False
        if to <= self.cursor:
            return True
        if from_ != self.cursor or to > self.upto:
            self.behind = True
            return False
        self.cursor = to
        await self.send(text)
        return True

    def ack(self, seq: int) -> None:
        """Open the window; an ack of what was never sent is ignored."""
        if self.acked < seq <= self.cursor:
            self.acked = seq
        self.window_open = time.monotonic()

    def move(self, seq: int, announcements: int) -> None:
        """Stand where the client says that it stands."""
        self.cursor = self.acked = seq
        self.announcements = announcements
        self.behind = self.announcements_behind = True

    async def send(self, text: str) -> None:
        """Send a frame, unless the socket is closed."""
        if not self.closed:
            await self._send({"type": "websocket.send", "text": text})

    async def beat(self, head: int, announcements: int, now: str) -> None:
        """Send a heartbeat and settle when the next one is due."""
        self.heartbeat_at = time.monotonic() + self._beat()
        await self.send(frame("heartbeat", head=head, announcements=announcements, now=now))

    async def refuse(self, re: str, code: str, detail: str, retry_after: int | None = None) -> None:
        """Say that a message was refused; the socket stays."""
        more = {} if retry_after is None else {"retry_after": retry_after}
        await self.send(frame("error", re=re, code=code, detail=detail, **more))

    async def close(self, code: int, detail: str) -> None:
        """Say why, then close."""
        if not self.closed:
            await self.send(frame("error", re="connection", code=str(code), detail=detail))
            self.closed = True
            await self._send({"type": "websocket.close", "code": code})

    async def bye(self, code: int, after: tuple[int, int], detail: str) -> None:
        """Ask the client to come back later."""
        await self.send(frame("bye", code=code, after=list(after), detail=detail))

    async def end(self, code: int) -> None:
        """Close without another word."""
        if not self.closed:
            self.closed = True
            await self._send({"type": "websocket.close", "code": code})

    @staticmethod
    def _beat() -> float:
        return protocol.HEARTBEAT_S * random.uniform(0.8, 1.0)  # noqa: S311 - jitter
