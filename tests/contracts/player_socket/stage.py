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
from typing import Any, Self

import jwt
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from tests.contracts.player_socket import line as lines
from tests.contracts.player_socket.line import Broken, Line, Message

DEVICE = "conformance"


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
        deadline = time.monotonic() + lines.PATIENCE_S
        while self.shown != list(names):
            if self.shown != list(names)[: len(self.shown)] or time.monotonic() > deadline:
                raise Broken(f"it has shown {self.shown}, not {list(names)}")
            await self._moment()
        await self._moment()

    async def connection(self, within: float | None = None) -> Line:
        """Return the next connection of the client's, after its first message."""
        within = lines.PATIENCE_S if within is None else within
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
        deadline = time.monotonic() + lines.PATIENCE_S
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
