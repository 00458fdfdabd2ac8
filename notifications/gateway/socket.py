"""One player's socket: cursors, never a queue of payloads."""

import contextlib
import random
import time
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from time import monotonic
from typing import Any

import structlog

from notifications.gateway import metrics, protocol
from notifications.gateway.protocol import frame

Send = Callable[[dict[str, Any]], Awaitable[None]]
"""ASGI's, of a server whose ``send`` does not wait for the client, as daphne's does not: one client that
does not read would otherwise hold up everybody's frames. A full window is what stops such a client here."""

log = structlog.get_logger(__name__)


class Socket:
    """What the gateway knows of one socket. Used on the gateway's loop only."""

    def __init__(self, send: Send, player_id: int, game_id: int, device: str, expires: datetime) -> None:
        """Start registered, but not ready: hints that come now only say that it is behind."""
        self._send = send
        self.id = uuid.uuid4().hex
        self.player_id, self.game_id, self.device = player_id, game_id, device
        self.expires = expires
        self.epoch = 0
        self.ready = False
        self.closed = False
        self.cursor = self.acked = self.announcements = 0
        self.behind = self.announcements_behind = False
        self.doubts = 0  # counts what has put it behind: a repair that read before the last one is not enough
        self.since = time.time()
        now = monotonic()
        self.heard = now
        self.blocked_at: float | None = None
        self.rotate_at = now + random.uniform(*protocol.ROTATE_S)  # noqa: S311 - jitter
        self.heartbeat_at = now + self._beat()

    # -- where it stands -----------------------------------------------------------------------------

    @property
    def upto(self) -> int:
        """The last sequence that may be sent before another ack."""
        return self.acked + protocol.WINDOW

    @property
    def blocked(self) -> bool:
        """Tell whether the window is full."""
        return self.cursor >= self.upto

    @property
    def lacks(self) -> bool:
        """Tell whether a repair could send it anything now."""
        return (self.behind and not self.blocked) or self.announcements_behind

    def doubt(self, *, changes: bool = False, announcements: bool = False) -> None:
        """Note that something was not sent, or may not have been."""
        self.behind |= changes
        self.announcements_behind |= announcements
        self.doubts += 1

    def opens(self, seq: int) -> bool:
        """Tell whether an ack opens the window: not if it is of what was never sent, or was acked before."""
        return self.acked < seq <= self.cursor

    def ack(self, seq: int) -> None:
        """Open the window, if the ack does."""
        if self.opens(seq):
            self.acked = seq
            self.blocked_at = None

    def move(self, seq: int, announcements: int) -> None:
        """Stand where the client says that it stands; whatever comes after that is still to be sent."""
        self.cursor = self.acked = seq
        self.announcements = announcements
        self.blocked_at = None
        self.doubt(changes=True, announcements=True)

    # -- what it is sent -------------------------------------------------------------------------------

    async def changes(self, from_: int, to: int, text: str, epoch: int = 0) -> bool:
        """Send a hint's frame if it is the next one; False when the socket is behind now."""
        if self.ready and not self.behind and self._counts(epoch):
            if to <= self.cursor:
                return True
            if from_ == self.cursor and to <= self.upto:
                await self.supply(to, text)
                return True
        self.doubt(changes=True)
        return False

    async def supply(self, to: int, text: str) -> None:
        """Send the frame that begins at the cursor."""
        self.cursor = to
        if self.blocked:
            self.blocked_at = monotonic()
        await self.send(text)

    async def announced(self, from_: int, to: int, text: str, epoch: int = 0) -> bool:
        """Send a hint's announcements if they are the next ones; False when the socket is behind now."""
        if self.ready and not self.announcements_behind and self._counts(epoch):
            if to <= self.announcements:
                return True
            if from_ == self.announcements:
                await self.announce(to, text)
                return True
        self.doubt(announcements=True)
        return False

    async def announce(self, to: int, text: str) -> None:
        """Send the frame that begins at the announcements' cursor."""
        self.announcements = to
        await self.send(text)

    async def beat(self, head: int, announcements: int, now: str) -> None:
        """Send a heartbeat and settle when the next one is due."""
        self.heartbeat_at = monotonic() + self._beat()
        await self.send(frame("heartbeat", head=head, announcements=announcements, now=now))

    async def refuse(self, re: str, code: str, detail: str, retry_after: int | None = None) -> None:
        """Say that a message was refused; the socket stays."""
        more = {} if retry_after is None else {"retry_after": retry_after}
        await self.send(frame("error", re=re, code=code, detail=detail, **more))

    async def send(self, text: str) -> None:
        """Send a frame, unless the socket is closed."""
        if not self.closed:
            await self._transmit({"type": "websocket.send", "text": text})

    async def bye(self, code: int, detail: str) -> None:
        """Ask the client to come back at a random second in between."""
        await self.send(frame("bye", code=code, after=list(protocol.BACK_AFTER[code]), detail=detail))

    async def close(self, code: int, detail: str) -> None:
        """Say why, and when to come back where that is hinted; then close."""
        if code in protocol.BACK_AFTER:
            await self.bye(code, detail)
        else:
            await self.refuse("connection", str(code), detail)
        await self.end(code)

    async def end(self, code: int) -> None:
        """Close without another word."""
        if not self.closed:
            self.closed = True
            metrics.closed.labels(str(code)).inc()
            await self._transmit({"type": "websocket.close", "code": code})

    def _counts(self, epoch: int) -> bool:
        """Refuse numbers of another history: after a failover a late hint may still come from the old one."""
        return epoch in (0, self.epoch)

    async def _transmit(self, message: dict[str, Any]) -> None:
        """Give a message to the server. What it cannot send to one client is nobody else's fault.

        The client may still be there: then it is told to come back, and resumes.
        """
        try:
            await self._send(message)
        except Exception as error:  # noqa: BLE001 - each server has its own
            log.info("socket.gone", error=type(error).__name__)
            self.closed = True
            with contextlib.suppress(Exception):
                await self._send({"type": "websocket.close", "code": protocol.INTERNAL})

    @staticmethod
    def _beat() -> float:
        return protocol.HEARTBEAT_S * random.uniform(0.8, 1.0)  # noqa: S311 - jitter
