"""Lives of devices on a bad network: real gateways and sessions, and a world in which time passes at once.

What is real: sessions, sockets, delivery, repair, look, gathering, supervision. What is not is in
``world``; the clients are here, and keep the protocol's rules.
"""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import pytest

from notifications.gateway import (
    allowance,
    gathering,
    look,
    protocol,
    queries,
    session,
    socket,
    supervision,
    threads,
)
from notifications.gateway.gateway import current
from notifications.gateway.session import Session
from notifications.push import publishing
from players import presence
from tests.notifications.gateway.world import BadTransport, FakePlayer, VirtualLoop, World

LONG_S = 40.0
"""So long things happen; then all clients stay connected."""
QUIET_S = 6.0
"""After so much more every device must have all."""


class SimulatedDevice:
    """A client that keeps the rules: shows each once and in order, acks, syncs, comes back and resumes."""

    def __init__(self, player_id: int, random: Random) -> None:
        self.player_id, self._random = player_id, random
        self._seq = self._announcements = 0
        self._epoch = ""
        self._acked = 0
        self.shown: list[str] = []
        self.read: set[str] = set()
        self.problems: list[str] = []
        self.settled = False  # once nothing new is to happen

    async def run(self, until: float) -> None:
        """Live: connections that break, and others; after ``until`` the last one stays."""
        loop = asyncio.get_running_loop()
        while True:
            self.settled = loop.time() >= until
            length = None if self.settled else min(self._random.uniform(0.2, 20), until - loop.time())
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(length):
                    await self._connection()
            await asyncio.sleep(self._random.uniform(0, 1.5))

    async def _connection(self) -> None:
        to_server: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        to_client: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {"type": "websocket", "subprotocols": ["clarion.v1"], "headers": []}
        served = asyncio.ensure_future(Session(scope, to_server.get, _sender(to_client)).run())

        def say(type: str, **message: Any) -> None:
            to_server.put_nowait({"type": "websocket.receive", "text": json.dumps({"type": type, **message})})

        to_server.put_nowait({"type": "websocket.connect"})
        since = {"since": self._since()} if self._epoch else {}
        say("connect", token=str(self.player_id), device=f"d{id(self)}", **since)
        pinging = asyncio.ensure_future(self._ping(say))
        try:
            while (message := await to_client.get())["type"] != "websocket.close":
                await asyncio.sleep(self._random.expovariate(100))  # the network
                if "text" in message:
                    self._handle(json.loads(message["text"]), say)
        finally:
            pinging.cancel()
            to_server.put_nowait({"type": "websocket.disconnect", "code": 1006})
            await asyncio.wait([served])

    async def _ping(self, say: Callable[..., None]) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0.1, 1.5))
            if self._seq > self._acked:
                self._acked = self._seq
                say("ack", seq=self._seq)
            elif self.shown and not self.settled and self._random.random() < 0.2:
                say("read", ids=[self._random.choice(self.shown)])
            else:
                say("ping")

    def _since(self) -> dict[str, Any]:
        return {"epoch": self._epoch, "seq": self._seq, "announcements": self._announcements}

    def _handle(self, frame: dict[str, Any], say: Callable[..., None]) -> None:
        kind = frame["type"]
        if kind == "ready":
            if frame["resume"] == "reset":
                self.problems.append("reset without a reason")
            if frame["resume"] == "new":
                self._epoch, self._seq = frame["epoch"], frame["head"]
            self._acked = self._seq
        elif kind == "heartbeat" and frame["head"] > self._seq:
            say("sync", since=self._since())
        elif kind == "changes" and frame["from"] > self._seq:
            self.problems.append(f"a hole: {self._seq} {frame['from']}")
            say("sync", since=self._since())
        elif kind == "changes" and frame["to"] > self._seq:
            for item in frame["items"]:
                self._apply(item)
            self._seq = frame["to"]

    def _apply(self, item: dict[str, Any]) -> None:
        """Take one item; those of a frame that overlaps may come a second time."""
        if item["seq"] <= self._seq:
            return
        self._seq = item["seq"]
        if item["id"] not in self.shown:
            self.shown.append(item["id"])
        if item["read"]:
            self.read.add(item["id"])

    def lacks(self, player: FakePlayer) -> str:
        """Return what this device has not got right, or nothing.

        What nobody has read comes in the order of numbers; what was read meanwhile may come later.
        """
        wanted = [str(item.uid) for item in player.items.values()]
        read = {str(item.uid) for item in player.items.values() if item.read}
        if sorted(self.shown) != sorted(wanted):
            return f"it has shown {len(self.shown)} of {len(wanted)}"
        if [each for each in self.shown if each not in read] != [each for each in wanted if each not in read]:
            return "it has shown them in another order"
        if self.read != read:
            return "it does not know what was read"
        return "; ".join(self.problems)


def _sender(queue: asyncio.Queue[dict[str, Any]]) -> Callable[[dict[str, Any]], Awaitable[None]]:
    async def send(message: dict[str, Any]) -> None:
        queue.put_nowait(message)

    return send


def simulate(seed: int, monkeypatch: pytest.MonkeyPatch, *, looks: bool = True) -> list[str]:
    """Live one life of a world; return what any device has not got right."""
    loop = VirtualLoop()
    with monkeypatch.context() as patched:
        world = _install(patched, loop, Random(seed))
        if not looks:
            patched.setattr(look, "LOOK_S", 1e9)
        try:
            return loop.run_until_complete(_life(world))
        finally:
            publishing.use(None)
            loop.close()


def _install(patched: pytest.MonkeyPatch, loop: VirtualLoop, random: Random) -> World:
    world = World(random)
    publishing.use(BadTransport(random))
    for module in (allowance, gathering, look, session, socket, supervision):
        patched.setattr(module, "monotonic", loop.time)
    for name in ("identify", "welcome", "supply", "deviations", "announced"):
        patched.setattr(queries, name, getattr(world, name))
    for name in ("query", "session_query"):
        patched.setattr(threads, name, world.query)
    patched.setattr(gathering, "apply", world.apply)
    for module, name in (
        (gathering, "store_acks"), (presence, "renew"), (presence, "arrived"), (presence, "left"),
    ):  # fmt: skip
        patched.setattr(module, name, lambda *_: None)
    for module in (look, session, socket, supervision):
        if hasattr(module, "random"):
            patched.setattr(module, "random", random)
    patched.setattr(protocol, "SOCKETS_A_PLAYER", 99)
    return world


async def _life(world: World) -> list[str]:
    random, loop = world.random, asyncio.get_running_loop()
    devices = [SimulatedDevice(player, random) for player in (1, 1, 2, 3) for _ in range(2)]
    until = loop.time() + LONG_S
    living = [asyncio.ensure_future(device.run(until)) for device in devices]
    await asyncio.sleep(1)  # all have been there before anything happens
    while loop.time() < until:
        await asyncio.sleep(random.expovariate(1.5))
        world.tell(random.choice((1, 1, 2, 3)), random.choice((1, 1, 1, 2, 5, 80)))
    await asyncio.sleep(QUIET_S)
    world.tell(1, 1)  # the last hint of all is the one that nobody would miss
    world.tell(2, 1)
    await asyncio.sleep(QUIET_S)
    found = [lacks for device in devices if (lacks := device.lacks(world.players[device.player_id]))]
    tasks = [*living, *current().tasks.values()]
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    return found
