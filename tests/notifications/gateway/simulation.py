"""A world in which time passes at once: real gateways and sessions, a database in memory, a bad network.

Everything is decided by one seed. What is real: sessions, sockets, delivery, repair, look, gathering,
supervision. What is not: the database, whose answers are slow and may be old when they arrive;
the transport, which loses, repeats and swaps; the clients, who keep the protocol's rules.
"""

import asyncio
import contextlib
import itertools
import json
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from notifications.frames import Item, Marks, changes_frame
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
from notifications.gateway.queries import (
    Announcements,
    Identity,
    Need,
    Position,
    Standing,
    Supply,
    Welcome,
)
from notifications.gateway.session import Session
from notifications.inbox import Action
from notifications.push import Change, publishing
from notifications.push.transport import Message, Receive, Subscribed, Transport
from players import presence

LONG_S = 40.0
"""So long things happen; then all clients stay connected."""
QUIET_S = 6.0
"""After so much more every device must have all."""
EPOCH = datetime(2030, 1, 1, tzinfo=UTC)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next moment at which something is due, instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 1_000.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined] # asyncio's own
            self._virtual = max(self._virtual, self._scheduled[0]._when)  # type: ignore[attr-defined] # as above
        super()._run_once()  # type: ignore[misc] # as above


@dataclass
class FakePlayer:
    """A player's row and notifications."""

    head: int = 0
    items: dict[uuid.UUID, Item] = field(default_factory=dict)

    @property
    def unread(self) -> int:
        return sum(item.read is None for item in self.items.values())


class World:
    """The database, as far as gateways ask it. Each change is one transaction, then its hint."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.players: dict[int, FakePlayer] = defaultdict(FakePlayer)
        self._uids = (uuid.UUID(int=number) for number in itertools.count(1))

    # -- what happens ------------------------------------------------------------------------------------

    def tell(self, player_id: int, count: int) -> None:
        """Make so many notifications in one transaction."""
        player, began = self.players[player_id], self.players[player_id].head
        made = [self._new(player) for _ in range(count)]
        self._hint(player_id, began, made)

    def apply(self, actions: Sequence[Action]) -> dict[int, Any]:
        """Read what clients have asked to be read."""
        for action in actions:
            player, began = self.players[action.player_id], self.players[action.player_id].head
            changed = []
            for uid in action.ids:
                item = player.items[uid]
                if item.read is None:
                    player.head += 1
                    player.items[uid] = item._replace(read=EPOCH, seen=EPOCH, seq=player.head)
                    changed.append(player.items[uid])
            if changed:
                self._hint(action.player_id, began, changed)
        return {}

    def _new(self, player: FakePlayer) -> Item:
        player.head += 1
        number = len(player.items) + 1
        item = Item(
            uid=next(self._uids), number=number, seq=player.head, notification_class="inbox", category="c",
            title=str(number), body="", data="{}", actions="[]", created=EPOCH, expires=None, seen=None,
            read=None, archived=None, claimed=None, gone="", replaces=None,
        )  # fmt: skip
        player.items[item.uid] = item
        return item

    def _hint(self, player_id: int, began: int, items: Iterable[Item]) -> None:
        player = self.players[player_id]
        frame = changes_frame(began, player.head, player.unread, items, EPOCH)
        publishing.publish([Change(player_id, began, player.head, frame)])

    # -- what gateways ask ---------------------------------------------------------------------------------

    def identify(self, token: str, _origin: str | None, _host: str | None) -> Identity:
        later = datetime.now(UTC) + timedelta(days=1)
        return Identity(player_id=int(token), game_id=1, expires=later)

    def welcome(self, player_id: int) -> Welcome:
        player = self.players[player_id]
        return Welcome(epoch=1, epoch_name="e1", head=player.head, unread=player.unread, announcements=0)

    def supply(self, needs: Sequence[Need]) -> list[Supply]:
        return [self._supply(need) for need in needs]

    def _supply(self, need: Need) -> Supply:
        player = self.players[need.player_id]
        wanted = sorted(
            (item for item in player.items.values() if need.after < item.seq <= need.upto),
            key=lambda item: item.seq,
        )
        return Supply(
            head=player.head, unread=player.unread, marks=Marks(), moved=(), items=tuple(wanted),
            announcements_read=(),
        )  # fmt: skip

    def deviations(self, positions: Sequence[Position]) -> dict[int, Standing]:
        found = {}
        for index, position in enumerate(positions):
            head = self.players[position.player_id].head
            if head != position.cursor:
                found[index] = Standing(head, refused=False, announcements=0, epoch=1)
        return found

    def announced(self, _game_id: int, after: int) -> Announcements:
        return Announcements(to=after, more=False, items=())

    async def query(self, work: Callable[..., Any], *args: Any) -> Any:
        """Answer after a while, with what was so in between."""
        await asyncio.sleep(self.random.expovariate(200))
        found = work(*args)
        await asyncio.sleep(self.random.expovariate(200))
        return found


class BadTransport(Transport):
    """Loses 30 % of the messages, repeats 20 %, swaps many, and breaks now and then."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._receivers: list[Receive] = []

    def publish(self, message: Message) -> None:
        for receive in self._receivers:
            for _ in range(self._random.choices((0, 1, 2), weights=(30, 50, 20))[0]):
                asyncio.get_running_loop().call_later(self._random.expovariate(20), receive, message)

    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        self._receivers.append(receive)
        subscribed()
        try:
            await asyncio.sleep(self._random.uniform(5, 60))
        finally:
            self._receivers.remove(receive)
        raise ConnectionResetError


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
