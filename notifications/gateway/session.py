"""One client's conversation, from accept to close."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, cast
from uuid import UUID

import msgspec
import structlog
from django.db import Error

from notifications.frames import rfc3339
from notifications.gateway import protocol, queries
from notifications.gateway.gateway import Gateway, current
from notifications.gateway.protocol import Archive, Connect, Read, Seen, State, Sync, frame
from notifications.gateway.queries import Identity, Welcome
from notifications.gateway.socket import Send, Socket
from notifications.inbox import Action, Kind
from notifications.inbox.states import IDS_MAX
from players.errors import OriginRefused, PlayerRefused, PlayersError, TokenExpired

Receive = Callable[[], Awaitable[dict[str, Any]]]
DRAIN_S = 4.0
"""Over so long a gateway that stops spreads the end of its sockets."""
KINDS: dict[type[State], Kind] = {Seen: Kind.SEEN, Read: Kind.READ, Archive: Kind.ARCHIVE}

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
        self._scope, self._receive, self._send = scope, receive, send
        self._gateway: Gateway = current()
        self._socket: Socket | None = None
        self._allowance, self._allowed_at = protocol.MESSAGES_BURST, time.monotonic()

    async def run(self) -> None:
        """Talk until one side closes. A server that stops asks the client to come back; nobody sees 1006."""
        try:
            await self._accept()
            await self._connect(await self._first_message())
            while True:
                await self._handle(await self._next_text())
        except Gone:
            pass
        except Refused as refused:
            await self._refuse(refused.code, refused.detail)
        except asyncio.CancelledError:
            await self._drain()
        except Exception as error:
            log.exception("socket.failed", error=type(error).__name__)
            await self._refuse(protocol.INTERNAL, "an error of the server's")
        finally:
            if self._socket is not None:
                self._socket.closed = True
                self._gateway.forget(self._socket)

    async def _accept(self) -> None:
        """Accept before refusing: only then do browsers see the code."""
        await self._receive()
        offered = self._scope.get("subprotocols", [])
        chosen = protocol.SUBPROTOCOL if protocol.SUBPROTOCOL in offered else None
        await self._send({"type": "websocket.accept", "subprotocol": chosen})
        if chosen is None:
            raise Refused(protocol.WRONG_VERSION, f"this server speaks {protocol.SUBPROTOCOL} only")
        if self._gateway.count >= protocol.SOCKETS_A_PROCESS:
            raise Refused(protocol.OVERLOADED, "this gateway is full")

    async def _first_message(self) -> Connect:
        try:
            text = await asyncio.wait_for(self._next_text(), protocol.CONNECT_S)
        except TimeoutError:
            raise Refused(protocol.SILENT, f"no connect within {protocol.CONNECT_S:.0f} s") from None
        message = self._decoded(text)
        if not isinstance(message, Connect):
            raise Refused(protocol.MALFORMED, "the first message must be a valid connect")
        return message

    async def _connect(self, message: Connect) -> None:
        identity = await self._identify(message.token or self._header_token())
        if len(self._gateway.players.get(identity.player_id, ())) >= protocol.SOCKETS_A_PLAYER:
            raise Refused(protocol.TOO_MANY_SOCKETS, f"a player may have {protocol.SOCKETS_A_PLAYER} sockets")
        device = message.device[:64].replace("\x00", "")
        socket = Socket(self._send, identity.player_id, identity.game_id, device, identity.expires)
        self._socket = socket
        self._gateway.register(socket)  # first registered, then the head is read
        await self._gateway.replace_device(socket)
        try:
            found = await self._gateway.query(queries.welcome, identity.player_id, identity.game_id)
        except Error:
            raise Refused(protocol.OVERLOADED, "the database does not answer; come back soon") from None
        await self._ready(socket, message.since, found)

    async def _ready(self, socket: Socket, since: protocol.Since | None, found: Welcome) -> None:
        resume = _resume(since, found)
        at = since.seq if since and resume == "ok" else found.head
        announced = found.announcements
        if since and resume == "ok" and 0 <= since.announcements <= found.announcements:
            announced = since.announcements
        socket.move(at, announced)
        await socket.send(
            frame(
                "ready",
                epoch=found.epoch,
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
        self._gateway.fell_behind(socket)  # whatever came since the head was read

    async def _identify(self, token: str | None) -> Identity:
        if not token:
            raise Refused(protocol.TOKEN_WRONG, "a token is needed")
        try:
            return await self._gateway.query(
                queries.identify, token, self._header(b"origin"), self._header(b"host")
            )
        except TokenExpired as error:
            raise Refused(protocol.TOKEN_EXPIRED, str(error)) from None
        except PlayerRefused as error:
            raise Refused(protocol.PLAYER_REFUSED, str(error)) from None
        except (OriginRefused, PlayersError) as error:
            raise Refused(protocol.TOKEN_WRONG, str(error)) from None
        except Error:
            raise Refused(protocol.OVERLOADED, "the database does not answer; come back soon") from None

    async def _handle(self, text: str) -> None:
        socket = self._socket
        assert socket is not None
        self._charge()
        socket.heard = time.monotonic()
        message = self._decoded(text)
        if message is None:
            kind = protocol.kind_of(text)
            if kind is None:
                raise Refused(protocol.MALFORMED, "messages are JSON objects with a type")
            await socket.refuse(kind[:40], "invalid", "this message is not understood")
        elif isinstance(message, protocol.Ack):
            self._gateway.acked(socket, message.seq)
        elif isinstance(message, State):
            await self._act(socket, message)
        elif isinstance(message, Sync):
            await self._sync(socket, message)
        elif isinstance(message, protocol.Token):
            await self._renew(socket, message.token)
        elif isinstance(message, protocol.Ping):
            await socket.send(frame("pong", now=rfc3339(datetime.now(UTC))))
        else:
            await socket.refuse("connect", "connected", "this socket is connected already")

    async def _act(self, socket: Socket, message: State) -> None:
        kind = KINDS[type(message)]
        try:
            ids = tuple(UUID(each) for each in message.ids[: IDS_MAX + 1])
        except ValueError:
            await socket.refuse(kind, "invalid", "ids are the notifications' ids")
            return
        wrong = len(ids) > IDS_MAX or (message.through is not None and not 0 <= message.through < 2**63)
        if wrong or bool(ids) == (message.through is not None) or (kind is Kind.ARCHIVE and not ids):
            await socket.refuse(
                kind, "invalid", f"takes either up to {IDS_MAX} ids or a number to go through"
            )
            return
        self._gateway.act(
            Action(player_id=socket.player_id, kind=kind, ids=ids, through=message.through), socket
        )

    async def _sync(self, socket: Socket, message: Sync) -> None:
        try:
            found = await self._gateway.query(queries.welcome, socket.player_id, socket.game_id)
        except Error:
            await socket.refuse("sync", "unavailable", "the database does not answer", retry_after=1)
            return
        socket.ready = False
        await self._ready(socket, message.since, found)

    async def _renew(self, socket: Socket, token: str) -> None:
        identity = await self._identify(token)
        if identity.player_id != socket.player_id:
            raise Refused(protocol.TOKEN_WRONG, "the token is another player's")
        socket.expires = identity.expires

    async def _next_text(self) -> str:
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Gone
        text = message.get("text")
        if text is None:
            raise Refused(protocol.MALFORMED, "messages are text, not binary")
        if len(text) > protocol.MESSAGE_MAX:
            raise Refused(protocol.MALFORMED, f"messages have at most {protocol.MESSAGE_MAX} bytes")
        return str(text)

    @staticmethod
    def _decoded(text: str) -> protocol.ClientMessage | None:
        try:
            return cast("protocol.ClientMessage", protocol.decode(text))
        except (msgspec.DecodeError, RecursionError):
            return None

    def _charge(self) -> None:
        """Allow a burst, then a rate."""
        now = time.monotonic()
        earned = (now - self._allowed_at) * protocol.MESSAGES_A_SECOND
        self._allowance = min(protocol.MESSAGES_BURST, self._allowance + earned) - 1
        self._allowed_at = now
        if self._allowance < 0:
            raise Refused(
                protocol.TOO_MANY_MESSAGES, f"at most {protocol.MESSAGES_A_SECOND:.0f} messages a second"
            )

    async def _refuse(self, code: int, detail: str) -> None:
        socket = self._socket or Socket(self._send, 0, 0, "", datetime.now(UTC))
        await self._gateway.close(socket, code, detail)

    async def _drain(self) -> None:
        """The process stops: say when to come back, and end at a moment of one's own."""
        if self._socket is None or self._socket.closed:
            return
        await self._socket.bye(protocol.RESTART, protocol.DRAIN_AFTER, "deploy")
        await asyncio.sleep(random.uniform(0, DRAIN_S))  # noqa: S311 - jitter
        await self._socket.end(protocol.RESTART)

    def _header(self, name: bytes) -> str | None:
        value = dict(self._scope.get("headers", ())).get(name)
        return value.decode("latin-1") if value is not None else None

    def _header_token(self) -> str | None:
        scheme, _, token = (self._header(b"authorization") or "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else None


def _resume(since: protocol.Since | None, found: Welcome) -> str:
    if since is None:
        return "new"
    if (
        since.epoch != found.epoch
        or not 0 <= since.seq <= found.head
        or found.head - since.seq > protocol.RESUME_MAX
    ):
        return "reset"
    return "ok"
