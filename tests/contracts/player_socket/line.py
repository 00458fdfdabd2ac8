"""One connection of the client's: what it says, and what the server says to it."""

import asyncio
import contextlib
import json
import time
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import jsonschema_rs
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

PATIENCE_S = 12.0
SCHEMA = Path(__file__).resolve().parents[3] / "notifications" / "api" / "socket.schema.json"
Message = dict[str, Any]


class Broken(AssertionError):
    """The client did not do what the protocol asks for."""


@cache
def validator(side: str) -> Any:
    """Return what judges the messages of one side: ``fromClient`` or ``fromServer``."""
    schema = json.loads(SCHEMA.read_text())
    schema["oneOf"] = [{"$ref": f"#/$defs/{side}"}]
    return jsonschema_rs.validator_for(schema, validate_formats=True)


class Keeper(Protocol):
    """What a line needs to know of its stage."""

    def now(self, later_s: float = 0.0) -> str:
        """Return the server's time."""

    def item(self, name: str, seq: int) -> Message:
        """Return a notification."""

    def breaks(self, why: str) -> Broken:
        """Remember what the client did wrong."""

    def heard(self, text: str | bytes) -> None:
        """Keep what was said."""


class Line:
    """One connection of the client's."""

    def __init__(self, stage: Keeper, connection: ServerConnection) -> None:
        self._stage, self._connection = stage, connection
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self.opened = time.monotonic()
        self.ended = asyncio.Event()
        self.said_at: list[float] = []
        self.acked = 0
        self.silent = False  # answers no ping, like a machine that is gone
        self.connect: Message = {}

    async def read(self) -> None:
        """Take what the client says; every message must be as the schema has it."""
        try:
            async for text in self._connection:
                self._stage.heard(text)
                self._take(text)
        except ConnectionClosed:
            pass
        finally:
            self.ended.set()

    def _take(self, text: str | bytes) -> None:
        self.said_at.append(time.monotonic())
        if isinstance(text, bytes):
            raise self._stage.breaks("it sent a binary frame")
        if len(text.encode()) > 16 * 1024:
            raise self._stage.breaks("it sent more than 16 KiB")
        message = json.loads(text)
        try:
            validator("fromClient").validate(message)
        except jsonschema_rs.ValidationError as error:
            raise self._stage.breaks(f"{text[:200]} is not as the schema says: {error.message}") from error
        if message["type"] == "ack":
            if message["seq"] < self.acked:
                raise self._stage.breaks(f"its acks went back from {self.acked} to {message['seq']}")
            self.acked = message["seq"]
        self._messages.put_nowait(message)
        if message["type"] == "ping" and not self.silent:
            asyncio.ensure_future(self.says("pong", now=self._stage.now()))  # noqa: RUF006 - soon done

    async def hears(self, *types: str, within: float | None = None) -> Message:
        """Return the next message of one of these types; others in between are left out."""
        within = PATIENCE_S if within is None else within
        deadline = time.monotonic() + within
        while True:
            try:
                message = await asyncio.wait_for(self._messages.get(), max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                raise Broken(f"it sent no {' or '.join(types)} within {within:.0f} s") from None
            if message["type"] in types:
                return message

    async def has_acked(self, seq: int) -> None:
        """Wait until everything up to here is acked."""
        deadline = time.monotonic() + PATIENCE_S
        while self.acked < seq:
            if time.monotonic() > deadline:
                raise Broken(f"it acked {self.acked}, not {seq}")
            await asyncio.sleep(0.02)
        if self.acked > seq:
            raise Broken(f"it acked {self.acked}, but was sent only {seq}")

    # -- what the server says ------------------------------------------------------------------------------

    async def says(self, type: str, **message: Any) -> None:
        """Send a frame; our own are as the schema says, unless the type is one that nobody knows."""
        if type != "weather":
            validator("fromServer").validate({"type": type, **message})
        with contextlib.suppress(ConnectionClosed):
            await self._connection.send(json.dumps({"type": type, **message}))

    async def is_ready(self, **changes: Any) -> None:
        """Answer ``connect`` or ``sync``: ok for those who resume, new for the others."""
        since = self.connect.get("since")
        frame = {
            "epoch": "e1", "head": since["seq"] if since else 0, "announcements": 0, "unread": 0,
            "resume": "ok" if since else "new", "heartbeat": 25, "window": 64, "now": self._stage.now(),
            "token_expires": self._stage.now(3_600), **changes,
        }  # fmt: skip
        await self.says("ready", **frame)

    async def changes(self, from_: int, to: int, *items: Message, **marks: Any) -> None:
        """Send the changes in ``(from_, to]``."""
        await self.says("changes", **{"from": from_, "to": to, "unread": to, "items": items, **marks})

    async def tells(self, from_: int, *names: str) -> None:
        """Send one new notification for each of these names."""
        items = [self._stage.item(name, from_ + place) for place, name in enumerate(names, start=1)]
        await self.changes(from_, from_ + len(names), *items)

    async def close(self, code: int) -> None:
        """Close with a code."""
        await self._connection.close(code)

    async def drops(self) -> None:
        """Break the connection without a good-bye."""
        self._connection.transport.abort()
        await self.ended.wait()
