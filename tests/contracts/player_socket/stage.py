"""A stage for one client: a server that says what a case wants it to say, and what the client has shown."""

import asyncio
import contextlib
import json
import os
import shlex
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Self

import jsonschema_rs
import jwt
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

PATIENCE_S = 12.0
SCHEMA = Path(__file__).resolve().parents[3] / "notifications" / "api" / "socket.schema.json"
DEVICE = "conformance"
Message = dict[str, Any]


class Broken(AssertionError):
    """The client did not do what the protocol asks for."""


@cache
def validator(side: str) -> Any:
    """Return what judges the messages of one side: ``fromClient`` or ``fromServer``."""
    schema = json.loads(SCHEMA.read_text())
    schema["oneOf"] = [{"$ref": f"#/$defs/{side}"}]
    return jsonschema_rs.validator_for(schema, validate_formats=True)


class Line:
    """One connection of the client's."""

    def __init__(self, stage: "Stage", connection: ServerConnection) -> None:
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


class Stage:
    """One server and one client."""

    def __init__(self, command: str) -> None:
        """Start nothing yet; ``command`` starts the client."""
        self._command = shlex.split(command)
        self._lines: asyncio.Queue[Line] = asyncio.Queue()
        self._server: Server | None = None
        self._client: asyncio.subprocess.Process | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._broken: Broken | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="clarion-conformance-")
        self.clock_ahead_s = 0.0  # of the server's clock
        self.printed: list[Message] = []
        self.transcript: list[str] = []
        self.tokens = 0
        self.asked: list[str] = []  # paths over HTTP
        self.inbox: Message = {"items": [], "epoch": "e1", "head": 0, "unread": 0, "next": None}

    # -- what cases look at ---------------------------------------------------------------------------------

    def now(self, later_s: float = 0.0) -> str:
        """Return the server's time, or one so many seconds later."""
        moment = datetime.now(UTC) + timedelta(seconds=self.clock_ahead_s + later_s)
        return moment.isoformat().replace("+00:00", "Z")

    def item(self, name: str, seq: int, **changes: Any) -> Message:
        """Return a notification whose id follows from its name."""
        return {
            "number": seq, "seq": seq, "id": self.id_of(name), "class": "inbox", "category": "general",
            "title": name, "body": "", "data": {}, "actions": [], "created": self.now(), "expires": None,
            "read": None, "seen": None, "archived": None, "claimed": None, "replaces": None, **changes,
        }  # fmt: skip

    @staticmethod
    def id_of(name: str) -> str:
        """Return a notification's id, which says its name to whoever reads a transcript."""
        return f"00000000-0000-4000-8000-{name.encode().hex():0>12}"

    @property
    def shown(self) -> list[str]:
        """The names of what the client has shown, in order."""
        hexes = (str(line["shown"]).rsplit("-", 1)[-1] for line in self.printed if "shown" in line)
        return [bytes.fromhex(each).lstrip(b"\0").decode() for each in hexes]

    async def has_shown(self, *names: str) -> None:
        """Wait until exactly these were shown, in this order."""
        deadline = time.monotonic() + PATIENCE_S
        while self.shown != list(names):
            if self.shown != list(names)[: len(self.shown)] or time.monotonic() > deadline:
                raise Broken(f"it has shown {self.shown}, not {list(names)}")
            await self._moment()
        await self._moment()

    async def connection(self, within: float | None = None) -> Line:
        """Return the next connection of the client's, after its first message."""
        within = PATIENCE_S if within is None else within
        try:
            line = await asyncio.wait_for(self._lines.get(), within)
        except TimeoutError:
            raise Broken(f"it did not connect within {within:.1f} s") from None
        line.connect = await line.hears("connect", within=5)
        return line

    async def stays_away(self, seconds: float = 2.5) -> None:
        """Wait, and see that the client does not connect."""
        try:
            await asyncio.wait_for(self._lines.get(), seconds)
        except TimeoutError:
            return
        raise Broken("it came back")

    async def until(self, reached: Callable[[], object], what: str) -> None:
        """Wait until something is so."""
        deadline = time.monotonic() + PATIENCE_S
        while not reached():
            if time.monotonic() > deadline:
                raise Broken(what)
            await self._moment()

    async def restarts(self) -> None:
        """Kill the client and start it again, with what it has stored."""
        await self._end_client()
        await self._start_client()

    async def _moment(self) -> None:
        if self._broken:
            raise self._broken
        await asyncio.sleep(0.02)

    def breaks(self, why: str) -> Broken:
        """Remember what the client did wrong; the case fails with it."""
        self._broken = self._broken or Broken(why)
        return self._broken

    def heard(self, text: str | bytes) -> None:
        """Keep what was said, for the report."""
        self.transcript.append(f"client: {str(text)[:300]}")

    # -- server and client ----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve, "127.0.0.1", 0, subprotocols=["clarion.v1"], process_request=self._answer,  # type: ignore[list-item]
            ping_interval=None,
        )  # fmt: skip
        await self._start_client()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._end_client()
        assert self._server is not None
        self._server.close(close_connections=False)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._folder.cleanup()
        if self._broken:
            raise self._broken

    @property
    def url(self) -> str:
        """Clarion's address, as the client is given it."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _serve(self, connection: ServerConnection) -> None:
        if connection.subprotocol != "clarion.v1":
            raise self.breaks("it did not offer the subprotocol clarion.v1")
        line = Line(self, connection)
        self._lines.put_nowait(line)
        with contextlib.suppress(Broken):
            await line.read()

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        path, _, query = request.path.partition("?")
        if path == "/ws/v1/player":
            if query:
                self.breaks(f"its URL has a query: {query}")
            return None
        self.asked.append(path)
        if path == "/token":
            self.tokens += 1
            return connection.respond(200, self._token())
        body: dict[str, Any] = {
            "/api/v1/inbox": self.inbox,
            "/api/v1/announcements": {"items": [], "announcements": 0},
        }
        if path in body and request.headers.get("Authorization", "").startswith("Bearer "):
            response = connection.respond(200, json.dumps(body[path]))
            response.headers["Content-Type"] = "application/json"
            return response
        return connection.respond(404, "there is nothing here")

    def _token(self) -> str:
        """Return a token as Clarion's are, of the player alice; each is another one."""
        soon = datetime.now(UTC) + timedelta(hours=1, seconds=self.clock_ahead_s)
        claims = {
            "iss": "clarion",
            "aud": "conformance",
            "sub": "alice",
            "exp": soon,
            "jti": str(self.tokens),
        }
        return jwt.encode(claims, "a secret that is long enough for HS256, and none", algorithm="HS256")

    async def _start_client(self) -> None:
        environment = {
            **os.environ, "CLARION_URL": self.url, "CLARION_DEVICE": DEVICE, "CLARION_STATE": self._folder.name,
        }  # fmt: skip
        self._client = await asyncio.create_subprocess_exec(
            *self._command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        self._tasks += [
            asyncio.create_task(self._read(self._client.stdout, self._print)),
            asyncio.create_task(
                self._read(self._client.stderr, lambda line: self.transcript.append(f"stderr: {line}"))
            ),
        ]

    async def _end_client(self) -> None:
        if self._client is not None and self._client.returncode is None:
            self._client.kill()
            await self._client.wait()

    async def _read(self, stream: asyncio.StreamReader | None, take: Callable[[str], object]) -> None:
        assert stream is not None
        while line := await stream.readline():
            take(line.decode(errors="replace").rstrip())

    def _print(self, text: str) -> None:
        self.transcript.append(f"printed: {text}")
        try:
            line = json.loads(text)
        except ValueError:
            return
        if isinstance(line, dict):
            self.printed.append(line)


Case = Callable[[Stage], Awaitable[None]]
