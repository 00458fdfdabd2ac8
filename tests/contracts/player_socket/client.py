"""A small client in another language, which keeps the protocol's rules; for conformance.py.

As its only argument it takes the name of a rule to break: so one sees that conformance.py notices.
"""

import asyncio
import json
import os
import random
import sys
import time
import urllib.request
from datetime import datetime
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

URL, DEVICE = os.environ["CLARION_URL"], os.environ["CLARION_DEVICE"]
STORED = Path(os.environ["CLARION_STATE"]) / "cursor.json"
BROKEN = sys.argv[1] if len(sys.argv) > 1 else ""
STEADY_S = 30.0


class Client:
    """Shows each notification once and in order."""

    def __init__(self) -> None:
        self.epoch: str | None = None
        self.seq = self.announcements = 0
        self.shown: list[str] = []
        if STORED.exists() and BROKEN != "forgets":
            self.epoch, self.seq, self.announcements, self.shown = json.loads(STORED.read_text())
        self._clock = 0.0  # the server's, less our monotonic one
        self._heartbeat_s = 25.0
        self._heard = 0.0
        self._ready_now = asyncio.Event()
        self._token = ""
        self._bye: dict[str, Any] | None = None

    async def run(self) -> None:
        """Live: connect, listen, come back as the end of the connection says."""
        attempt = 0
        while True:
            began, self._bye = time.monotonic(), None
            code = await self._connection()
            if 4000 <= code < 4100 and BROKEN != "never-stops":
                return
            if code == 4201 and BROKEN != "keeps-its-token":
                self._token = ""
            attempt = 0 if time.monotonic() - began > STEADY_S else attempt + 1
            await asyncio.sleep(self._pause(attempt))

    def _pause(self, attempt: int) -> float:
        if self._bye and BROKEN != "ignores-bye":
            return random.uniform(*self._bye["after"])
        return random.uniform(0, min(30.0, 0.5 * 2 ** (attempt - 1)))

    async def _connection(self) -> int:
        if not self._token:
            self._token = await asyncio.to_thread(_get, "/token")
        query = f"?token={self._token}" if BROKEN == "token-in-the-url" else ""
        try:
            async with connect(
                f"{URL.replace('http', 'ws')}/ws/v1/player{query}", subprotocols=["clarion.v1"]
            ) as socket:  # type: ignore[list-item]
                since = {"since": self._since()} if self.epoch and BROKEN != "never-resumes" else {}
                await _say(socket, "connect", token=self._token, device=DEVICE, **since)
                self._heard = time.monotonic()
                self._ready_now = asyncio.Event()
                watch = asyncio.create_task(self._watch(socket))
                try:
                    async for text in socket:
                        await self._handle(socket, json.loads(text))
                finally:
                    watch.cancel()
        except (ConnectionClosed, OSError):
            pass
        return socket.close_code or 1006

    async def _watch(self, socket: ClientConnection) -> None:
        """Say something at every heartbeat; leave when the server says nothing for two."""
        await self._ready_now.wait()
        while time.monotonic() - self._heard < 2 * self._heartbeat_s or BROKEN == "waits-for-ever":
            await asyncio.sleep(min(self._heartbeat_s * 0.6, 5))
            if BROKEN != "says-nothing":
                await _say(socket, "ping")
        await socket.close()

    async def _handle(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        self._heard = time.monotonic()
        kind = frame["type"]
        if kind == "ready":
            await self._ready(frame)
        elif kind == "heartbeat" and (
            frame["head"] > self.seq or frame["announcements"] > self.announcements
        ):
            if BROKEN != "trusts-hints":
                await _say(socket, "sync", since=self._since())
        elif kind == "changes":
            await self._changes(socket, frame)
        elif kind == "announcements":
            await self._announced(socket, frame)
        elif kind == "bye":
            self._bye = frame
        elif kind == "weather" and BROKEN == "chokes":
            raise SystemExit

    async def _ready(self, frame: dict[str, Any]) -> None:
        self._clock = datetime.fromisoformat(frame["now"]).timestamp() - time.monotonic()
        self._heartbeat_s = frame["heartbeat"]
        self._ready_now.set()
        if frame["resume"] != "ok":
            self.epoch, self.seq, self.announcements = frame["epoch"], frame["head"], frame["announcements"]
            if frame["resume"] == "reset":
                self.shown = [] if BROKEN == "forgets-at-reset" else self.shown
                await asyncio.to_thread(_get, "/api/v1/inbox", self._token)
            self._store()

    async def _changes(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["to"] <= self.seq and BROKEN != "shows-repeats":
            return
        if frame["from"] > self.seq and BROKEN != "jumps":
            await _say(socket, "sync", since=self._since())
            return
        for item in sorted(frame["items"], key=lambda item: item["seq"]):
            self._take(item)
        self.seq = frame["items"][-1]["seq"] if BROKEN == "stops-short" and frame["items"] else frame["to"]
        self._store()
        if BROKEN != "never-acks":
            await _say(socket, "ack", seq=self.seq)

    def _take(self, item: dict[str, Any]) -> None:
        if item["id"] in self.shown and BROKEN != "shows-repeats":
            return
        if item.get("gone") and BROKEN != "shows-what-is-gone":
            return
        now = time.time() if BROKEN == "own-clock" else self._clock + time.monotonic()
        expires = item.get("expires")
        if not expires or datetime.fromisoformat(expires).timestamp() > now:
            self.shown.append(item["id"])
            sys.stdout.write(json.dumps({"shown": item["id"]}) + "\n")
            sys.stdout.flush()

    async def _announced(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["from"] > self.announcements:
            await _say(socket, "sync", since=self._since())
        elif frame["to"] > self.announcements:
            self.announcements = 0 if BROKEN == "follows-no-announcements" else frame["to"]
            self._store()

    def _since(self) -> dict[str, Any]:
        return {"epoch": self.epoch, "seq": self.seq, "announcements": self.announcements}

    def _store(self) -> None:
        """Write all together, and never half of it."""
        draft = STORED.with_suffix(".draft")
        draft.write_text(json.dumps([self.epoch, self.seq, self.announcements, self.shown]))
        draft.replace(STORED)


async def _say(socket: ClientConnection, type: str, **message: Any) -> None:
    await socket.send(json.dumps({"type": type, **message}))


def _get(path: str, token: str = "") -> str:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with urllib.request.urlopen(urllib.request.Request(URL + path, headers=headers)) as answer:
        return str(answer.read().decode())


if __name__ == "__main__":
    asyncio.run(Client().run())
