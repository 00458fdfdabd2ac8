"""Players' devices, on the ASGI application itself: no server in between."""

import asyncio
import itertools
import json
import queue
import threading
from collections.abc import Callable, Coroutine, Iterable
from functools import cache
from pathlib import Path
from typing import Any, Self, TypeVar

import jsonschema_rs

from config.asgi import application
from notifications.gateway.gateway import Gateway, current
from tests.notifications.gateway.eventually import PATIENCE_S, eventually

SUBPROTOCOL = "clarion.v1"
SCHEMA = Path(__file__).parents[3] / "notifications" / "api" / "socket.schema.json"
T = TypeVar("T")


@cache
def validator(side: str) -> Any:
    """Return what judges the messages of one side: ``fromServer`` or ``fromClient``."""
    schema = json.loads(SCHEMA.read_text())
    schema["oneOf"] = [{"$ref": f"#/$defs/{side}"}]
    return jsonschema_rs.validator_for(schema, validate_formats=True)


class GatewayThread:
    """A process that holds sockets: an event loop with a gateway on it, on a thread of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="a gateway", daemon=True)
        self._thread.start()
        self.gateway: Gateway = self.do(_current())

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)

    def ask(self, question: Callable[[], T]) -> T:
        """Look at something on the loop."""

        async def answer() -> T:
            return question()

        return self.do(answer())

    def device(self, token: str | None = None, **options: Any) -> "Device":
        """Return a device; with a token it has connected, is ready, and has been sent what there is."""
        opening = {
            name: options.pop(name) for name in ("headers", "subprotocols", "query") if name in options
        }
        device = Device(self, **opening)
        if token is not None:
            device.connects(token=token, **options)
            self.settles()
        return device

    def holds_back(self, task: str) -> None:
        """End one of the gateway's tasks: the test does its work when it is due."""
        self.ask(self.gateway.tasks[task].cancel)

    def settles(self) -> None:
        """Wait until every socket has been sent what may be sent."""
        eventually(lambda: not self.ask(lambda: any(socket.lacks for socket in self.gateway.sockets)))

    def looks(self) -> None:
        """Look now, as the gateway does once a second."""
        self.do(self.gateway.look.once())

    def close(self) -> None:
        """End everything that runs on the loop, as a process that is killed."""
        self.do(_cancel_all())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Device:
    """One client. What it hears is checked against the published schema; all waiting is bounded."""

    def __init__(
        self,
        process: GatewayThread,
        headers: Iterable[tuple[bytes, bytes]] = (),
        subprotocols: Iterable[str] = (SUBPROTOCOL,),
        query: str = "",
    ) -> None:
        """Open a socket; nothing is said yet."""
        self._process = process
        self._heard: queue.Queue[dict[str, Any]] = queue.Queue()
        self._says: asyncio.Queue[dict[str, Any]] = process.ask(asyncio.Queue)
        self.ready: dict[str, Any] = {}
        scope = {
            "type": "websocket", "path": "/ws/v1/player", "raw_path": b"/ws/v1/player", "query_string": query.encode(),
            "headers": [(b"host", b"clarion.test"), *headers], "subprotocols": list(subprotocols),
        }  # fmt: skip
        self._put({"type": "websocket.connect"})
        self.task = process.ask(lambda: asyncio.ensure_future(application(scope, self._says.get, self._send)))
        self.accepted = self._heard.get(timeout=PATIENCE_S)
        assert self.accepted["type"] == "websocket.accept"

    # -- what it says --------------------------------------------------------------------------------

    def connects(self, **message: Any) -> dict[str, Any]:
        """Send ``connect`` and return the server's ``ready``."""
        self.says("connect", **message)
        self.ready = self.hears("ready")
        return self.ready

    def says(self, type: str, **message: Any) -> None:
        self.says_text(json.dumps({"type": type, **message}))

    def says_text(self, text: str) -> None:
        self._put({"type": "websocket.receive", "text": text})

    def says_bytes(self, data: bytes) -> None:
        self._put({"type": "websocket.receive", "bytes": data})

    def leaves(self) -> None:
        """Close the socket, and wait until the server has noticed."""
        self._put({"type": "websocket.disconnect", "code": 1000})
        self.ends()

    def is_cancelled(self) -> None:
        """Let happen what daphne does to every application when it stops."""
        self._process.ask(self.task.cancel)

    def ends(self) -> None:
        """Wait until the application has returned, and raised nothing."""

        async def ended() -> None:
            await asyncio.wait_for(asyncio.shield(self.task), PATIENCE_S)

        self._process.do(ended())

    # -- what it hears ---------------------------------------------------------------------------------

    def hears(self, type: str) -> dict[str, Any]:
        """Return the next frame, which must be of this type."""
        frame = self.hears_any()
        assert frame["type"] == type, frame
        return frame

    def hears_any(self) -> dict[str, Any]:
        message = self._heard.get(timeout=PATIENCE_S)
        assert message["type"] == "websocket.send", message
        return decoded(message["text"])

    def hears_until(self, reached: Callable[[dict[str, Any]], bool]) -> list[dict[str, Any]]:
        """Return all frames up to the one that is waited for."""
        frames = [self.hears_any()]
        while not reached(frames[-1]):
            frames.append(self.hears_any())
        return frames

    def hears_changes(self, to: int) -> list[dict[str, Any]]:
        """Return the frames that bring it to this sequence; there is no hole between them."""
        frames = self.hears_until(lambda frame: frame["type"] == "changes" and frame["to"] >= to)
        changes = [frame for frame in frames if frame["type"] == "changes"]
        assert all(one["to"] == following["from"] for one, following in itertools.pairwise(changes)), changes
        assert changes[-1]["to"] == to
        return changes

    def hears_nothing_before_pong(self) -> None:
        """Find out that nothing is on its way: what is sent earlier would come earlier."""
        self.says("ping")
        self.hears("pong")

    def is_closed(self) -> tuple[int, list[dict[str, Any]]]:
        """Wait for the server to close; return the code and the frames before it."""
        frames = []
        while (message := self._heard.get(timeout=PATIENCE_S))["type"] == "websocket.send":
            frames.append(decoded(message["text"]))
        assert message["type"] == "websocket.close", message
        self._put({"type": "websocket.disconnect", "code": message["code"]})
        self.ends()
        return message["code"], frames

    async def _send(self, message: dict[str, Any]) -> None:
        self._heard.put(message)

    def _put(self, message: dict[str, Any]) -> None:
        self._process.loop.call_soon_threadsafe(self._says.put_nowait, message)


def decoded(text: str) -> dict[str, Any]:
    """Return a frame of the server's; it is as the schema says."""
    frame: dict[str, Any] = json.loads(text)
    validator("fromServer").validate(frame)
    return frame


def titles(frames: Iterable[dict[str, Any]]) -> list[str]:
    """Return the titles of the notifications in these frames, in order."""
    return [item["title"] for frame in frames for item in frame.get("items", ()) if "gone" not in item]


async def _current() -> Gateway:
    return current()


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for _ in range(2):  # a session takes the first as the server's stop, and the second as it is meant
        for task in others:
            task.cancel()
        await asyncio.sleep(0)
    await asyncio.wait(others, timeout=PATIENCE_S) if others else None
