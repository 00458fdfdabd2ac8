"""One client's conversation, from accept to close."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from time import monotonic
from typing import Any

import structlog
from django.db import Error

from events.stopping import STOPPING
from notifications.frames import rfc3339
from notifications.gateway import protocol, queries, threads
from notifications.gateway.actions import KINDS, Unusable, action_of
from notifications.gateway.allowance import Allowance
from notifications.gateway.gateway import Gateway, current
from notifications.gateway.protocol import Ack, Connect, Ping, State, Sync, Token, frame
from notifications.gateway.queries import Identity, Welcome
from notifications.gateway.socket import Send, Socket
from players.errors import PlayerRefused, PlayersError, TokenExpired

Receive = Callable[[], Awaitable[dict[str, Any]]]
DRAIN_S = 4.0
"""Over so long a gateway that stops spreads the end of its sockets."""
AWAY = "the database does not answer; try again soon"

log = structlog.get_logger(__name__)


class Refused(Exception):
    """The socket is to be closed with a code."""

    def __init__(self, code: int, detail: str) -> None:
        """Keep both."""
        super().__init__(detail)
        self.code, self.detail = code, detail


class Gone(Exception):
    """The client has closed the socket."""


class Session:
    """Follows the protocol with one client."""

    def __init__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Take ASGI's three."""
        self._scope, self._receive = scope, receive
        self._gateway: Gateway = current()
        self._allowance = Allowance()
        self._early: deque[dict[str, Any]] = deque()  # what has come, but was not yet its turn
        # Nobody's until the client has said who it is, and not registered:
        self._socket = Socket(send, 0, 0, "", datetime.now(UTC))
        self._send = send

    async def run(self) -> None:
        """Talk until one side closes. A server that stops asks the client to come back; nobody sees 1006."""
        try:
            await self._accept()
            await self._connect(await self._first_message())
            await self._talk()
        except Gone:
            pass
        except Refused as refused:
            await self._socket.close(refused.code, refused.detail)
        except asyncio.CancelledError:  # all that daphne says when it stops
            await self._drain()
        except Exception as error:
            log.exception("socket.failed", error=type(error).__name__)
            await self._socket.close(protocol.INTERNAL, "an error of the server's")
        finally:
            self._socket.closed = True
            self._gateway.forget(self._socket)
            await self._gateway.drained()

    # -- coming in -------------------------------------------------------------------------------------

    async def _accept(self) -> None:
        """Accept before refusing, and with a subprotocol that was offered: only then do browsers see the code."""
        await self._receive()
        offered = self._scope.get("subprotocols") or [None]
        spoken = protocol.SUBPROTOCOL in offered
        chosen = protocol.SUBPROTOCOL if spoken else offered[0]
        await self._send({"type": "websocket.accept", "subprotocol": chosen})
        if not spoken:
            raise Refused(protocol.WRONG_VERSION, f"this server speaks {protocol.SUBPROTOCOL} only")
        self._gateway.draining |= STOPPING.is_set()
        if self._gateway.draining:
            raise Refused(protocol.RESTART, "deploy")
        if self._gateway.sockets.count >= protocol.SOCKETS_A_PROCESS:
            raise Refused(protocol.OVERLOADED, "this gateway is full")

    async def _first_message(self) -> Connect:
        try:
            async with asyncio.timeout(protocol.CONNECT_S):
                message = protocol.decode(await self._next_text())
        except TimeoutError:
            raise Refused(protocol.SILENT, f"no connect within {protocol.CONNECT_S:.0f} s") from None
        if not isinstance(message, Connect):
            raise Refused(protocol.MALFORMED, "the first message must be a valid connect")
        return message

    async def _connect(self, message: Connect) -> None:
        try:
            identity = await self._identify(message.token or self._header_token())
            device = message.device[: protocol.DEVICE_MAX].replace("\x00", "")
            self._check_room(identity.player_id, device)
            self._socket = Socket(self._send, identity.player_id, identity.game_id, device, identity.expires)
            await self._gateway.register(self._socket)  # first registered, then the head is read
            found = await self._welcome()
        except Error:
            raise Refused(protocol.OVERLOADED, AWAY) from None
        await self._ready(message.since, found)

    async def _identify(self, token: str | None) -> Identity:
        if not token:
            raise Refused(protocol.TOKEN_WRONG, "a token is needed")
        origin, host = self._header(b"origin"), self._header(b"host")
        try:
            return await threads.session_query(queries.identify, token, origin, host)
        except TokenExpired as error:
            raise Refused(protocol.TOKEN_EXPIRED, str(error)) from None
        except PlayersError as error:
            raise Refused(protocol.TOKEN_WRONG, str(error)) from None

    def _check_room(self, player_id: int, device: str) -> None:
        """Count what will be left: a device that comes back takes the place of its older socket."""
        others = [
            socket
            for socket in self._gateway.sockets.of(player_id)
            if not socket.closed and (not device or socket.device != device)
        ]
        if len(others) >= protocol.SOCKETS_A_PLAYER:
            raise Refused(
                protocol.TOO_MANY_SOCKETS, f"a player may have {protocol.SOCKETS_A_PLAYER} sockets here"
            )

    async def _welcome(self) -> Welcome:
        try:
            return await threads.session_query(queries.welcome, self._socket.player_id)
        except PlayerRefused as error:
            raise Refused(protocol.PLAYER_REFUSED, str(error)) from None

    async def _ready(self, since: protocol.Since | None, found: Welcome) -> None:
        """Stand where the client stands, or at the head; then send what came since."""
        socket = self._socket
        resume = protocol.resume(
            since,
            epoch=found.epoch_name,
            head=found.head,
            announcements=found.announcements,
            forgotten=found.forgotten,
        )
        at, announced = found.head, found.announcements
        if since and resume == "ok":
            at = since.seq
            announced = found.announcements if since.announcements is None else since.announcements
        socket.epoch = found.epoch
        socket.move(at, announced)
        await socket.send(
            frame(
                "ready",
                epoch=found.epoch_name,
                head=found.head,
                announcements=found.announcements,
                unread=found.unread,
                resume=resume,
                heartbeat=int(protocol.HEARTBEAT_S),
                window=protocol.WINDOW,
                now=rfc3339(datetime.now(UTC)),
                token_expires=rfc3339(socket.expires),
            )
        )
        socket.ready = True
        self._gateway.repair.fell_behind(socket)  # whatever came since the head was read

    # -- talking ---------------------------------------------------------------------------------------

    async def _talk(self) -> None:
        while True:
            await self._handle(await self._next_text())

    async def _handle(self, text: str) -> None:
        socket = self._socket
        message = protocol.decode(text)
        if not self._allowance.charge(self._cost(message)):
            rate = f"at most {protocol.MESSAGES_A_SECOND:.0f} messages a second"
            raise Refused(protocol.TOO_MANY_MESSAGES, rate)
        socket.heard = monotonic()
        if message is None:
            kind = protocol.kind_of(text)
            if kind is None:
                raise Refused(protocol.MALFORMED, "messages are JSON objects with a type")
            await socket.refuse(kind[:40], "invalid", "this message is not understood")
        elif isinstance(message, Ack):
            self._gateway.acked(socket, message.seq)
        elif isinstance(message, State):
            await self._act(message)
        elif isinstance(message, Sync):
            await self._sync(message)
        elif isinstance(message, Token):
            await self._renew(message)
        elif isinstance(message, Ping):
            await socket.send(frame("pong", now=rfc3339(datetime.now(UTC))))
        else:
            await socket.refuse("connect", "connected", "this socket is connected already")

    def _cost(self, message: protocol.ClientMessage | None) -> float:
        """Acks of what we have sent are free: they are as many as we want them to be."""
        if isinstance(message, Ack) and self._socket.opens(message.seq):
            return 0.0
        return protocol.DEAR if isinstance(message, Sync | Token) else 1.0

    async def _act(self, message: State) -> None:
        socket, kind = self._socket, KINDS[type(message)]
        try:
            taken = self._gateway.gathering.act(action_of(socket.player_id, message), socket)
        except Unusable as error:
            await socket.refuse(kind, "invalid", str(error))
            return
        if not taken:
            await socket.refuse(kind, "busy", "too much waits to be stored", retry_after=1)

    async def _sync(self, message: Sync) -> None:
        try:
            found = await self._welcome()
        except Error:
            await self._socket.refuse("sync", "unavailable", AWAY, retry_after=1)
            return
        self._socket.ready = False
        await self._ready(message.since, found)

    async def _renew(self, message: Token) -> None:
        """Go on with a fresh token; while the database is away the old one is good until it ends."""
        try:
            identity = await self._identify(message.token)
        except Error:
            await self._socket.refuse("token", "unavailable", AWAY, retry_after=1)
            return
        if identity.player_id != self._socket.player_id:
            raise Refused(protocol.TOKEN_WRONG, "the token is another player's")
        self._socket.expires = identity.expires

    async def _next_text(self) -> str:
        message = self._early.popleft() if self._early else await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        text = message.get("text")
        if text is None:
            raise Refused(protocol.MALFORMED, "messages are text, not binary")
        if len(text) > protocol.MESSAGE_MAX or len(text.encode(errors="replace")) > protocol.MESSAGE_MAX:
            raise Refused(protocol.MALFORMED, f"messages have at most {protocol.MESSAGE_MAX} bytes")
        return str(text)

    # -- going -----------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        """Say when to come back, go on talking for a moment of one's own, then end.

        A server also cancels a session that has not noticed for long that its client is gone.
        """
        if await self._has_left():
            return
        self._gateway.draining = True
        if not self._socket.ready:
            await self._socket.close(protocol.RESTART, "deploy")
            return
        await self._socket.bye(protocol.RESTART, "deploy")
        try:
            async with asyncio.timeout(random.uniform(0, DRAIN_S)):  # noqa: S311 - jitter
                await self._talk()
        except TimeoutError:
            await self._socket.end(protocol.RESTART)
        except Refused as refused:
            await self._socket.close(refused.code, refused.detail)
        except Gone:
            pass

    async def _has_left(self) -> bool:
        """Look through all that has come, which waits for its turn."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(0):
                while True:
                    self._early.append(await self._receive())
        return any(message["type"] == "websocket.disconnect" for message in self._early)

    def _header(self, name: bytes) -> str | None:
        value = dict(self._scope.get("headers", ())).get(name)
        return value.decode("latin-1") if value is not None else None

    def _header_token(self) -> str | None:
        scheme, _, token = (self._header(b"authorization") or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None
