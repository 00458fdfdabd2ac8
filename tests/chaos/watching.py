"""Who watches: devices that count their closings, and probes that measure how long a notification takes."""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from statistics import median
from time import monotonic
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection

from tests.chaos.load import persist
from tests.storm.devices import Device
from tests.storm.plan import CONNECTED, READERS, TWO_DEVICES, player
from tests.storm.writers import BATCH, Answers

EVERY_S = 0.2
BULK_EVERY = 5
"""So many probes of the other lanes for one of bulk."""
SLOW_S = 0.5
SLOW_TIMES = 5.0
IN_A_ROW = 5
"""Normal is when so many in a row are."""
STREAMS = 16
EACH = {"urgent": 20, "normal": 20, "bulk": 1}
"""So many players share a lane's probes: each hears seldom, so that no later hint brings to light a lost one."""
RULES = {"urgent": "match", "normal": "invite", "bulk": "maintenance"}
KINDS = {"urgent": "match.ready", "normal": "guild.invite.received", "bulk": "maintenance.scheduled"}


class WatchedDevice(Device):
    """A device that is cut off by nothing but the weather, and does as ``bye`` asks."""

    hurry = 1.0
    """The time that ``bye`` asks for is divided by this."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Stand at the beginning."""
        super().__init__(*arguments, **options)
        self.closings: Counter[int] = Counter()
        """How often which close code came; 1006 is a connection that ended without one."""
        self.closed_at: list[float] = []
        self.welcomed_at: list[float] = []
        self.asked: list[tuple[float, float]] = []
        """In between which seconds ``bye`` asked it to come back."""
        self.arrived: dict[str, float] = {}
        """When each title was first shown."""

    def _welcome(self, frame: dict[str, Any]) -> None:
        self.welcomed_at.append(monotonic())
        super()._welcome(frame)

    def _show(self, item: dict[str, Any]) -> None:
        self.arrived.setdefault(item["title"], monotonic())
        super()._show(item)

    async def _cut(self, socket: ClientConnection) -> None:
        """Wait for the end, whoever brings it, and count it."""
        await socket.wait_closed()

    async def _handle(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["type"] == "bye":
            self.asked.append(tuple(frame["after"]))
        await super()._handle(socket, frame)

    async def _live(self, socket: ClientConnection) -> None:
        known = len(self.asked)
        try:
            await super()._live(socket)
        finally:
            if socket.close_code is not None:  # else it is this device that ends
                self.closings[socket.close_code] += 1
                self.closed_at.append(monotonic())
        if len(self.asked) > known:
            await asyncio.sleep(random.uniform(*self.asked[-1]) / self.hurry)


def probed(lane: str, n: int) -> str:
    """Return the player to whom a lane's probe of this number goes."""
    return f"probe-{lane}-{n % EACH[lane]}"


def crowd(url: str, tokens: dict[str, str]) -> list[WatchedDevice]:
    """Return the devices of all players who are connected."""
    return [
        WatchedDevice(
            url, player(n), f"{player(n)}-{k}", tokens[player(n)], reads=n in READERS, seed=n * 10 + k
        )
        for n in CONNECTED
        for k in range(2 if n in TWO_DEVICES else 1)
    ]


@dataclass
class Sent:
    """One probe: its lane, when it was first posted, when it was answered and shown."""

    lane: str
    who: str
    posted: float
    answered: float | None = None


@dataclass
class Probes:
    """Posts an event to a player of each lane again and again, whatever the answer, and sees it arrive."""

    http: httpx.AsyncClient
    answers: Answers
    devices: dict[str, WatchedDevice]
    sent: dict[str, Sent] = field(default_factory=dict)
    paused: bool = False
    _posts: set["asyncio.Task[None]"] = field(default_factory=set)

    async def run(self) -> None:
        """Post for ever; nobody waits for an answer before the next one."""
        number = 0
        while True:
            for lane in ("urgent", "normal", *(["bulk"] * (number % BULK_EVERY == 0))):
                task = asyncio.create_task(self._post(lane, number))
                self._posts.add(task)
                task.add_done_callback(self._posts.discard)
            number += 1
            await asyncio.sleep(EVERY_S)

    async def finish(self) -> None:
        """Wait for the answers that are still to come."""
        await asyncio.gather(*self._posts)

    async def _post(self, lane: str, n: int) -> None:
        who = probed(lane, n)
        data = {"player_ids": [who]} if lane == "bulk" else {"player_id": who}
        event = {
            "specversion": "1.0", "id": f"probe-{lane}-{n}", "source": "/storm", "type": KINDS[lane],
            "partitionkey": f"probe/{lane}/{n % STREAMS}", "data": {**data, "n": n},
        }  # fmt: skip
        probe = self.sent[f"{RULES[lane]} {n}"] = Sent(lane=lane, who=who, posted=monotonic())
        answer = await persist(self.http, [event], BATCH, self.answers)
        assert answer.status_code == 200, answer.text
        for result in answer.json()["results"]:
            self.answers.note(result)
        probe.answered = monotonic()

    # -- what they tell --------------------------------------------------------------------------------

    def latencies(self, lane: str, since: float, until: float) -> list[float]:
        """Return the seconds from post to screen of those posted in between; of what has not come, until now."""
        now = monotonic()
        return [
            self.devices[each.who].arrived.get(title, now) - each.posted
            for title, each in list(self.sent.items())
            if each.lane == lane and since <= each.posted < until
        ]

    def normal_s(self, before: float) -> float:
        """Return up to which latency things are normal, judged by what was before."""
        found = self.latencies("urgent", 0, before) + self.latencies("normal", 0, before)
        return max(SLOW_S, SLOW_TIMES * median(found))

    def recovered_s(self, end: float, normal_s: float) -> float | None:
        """Return how long after a fault's end things were normal again, in both lanes; None while they are not."""
        found = [self._recovered_s(lane, end, normal_s) for lane in ("urgent", "normal")]
        return None if None in found else max(each for each in found if each is not None)

    def _recovered_s(self, lane: str, end: float, normal_s: float) -> float | None:
        """Return the arrival, after the end, of the first of a row of normal probes."""
        row: list[float] = []
        for title, each in sorted(self.sent.items(), key=lambda pair: pair[1].posted):
            if each.lane != lane or each.posted < end:
                continue
            arrived = self.devices[each.who].arrived.get(title)
            if arrived is not None and arrived - each.posted <= normal_s:
                row.append(arrived)
            else:
                row = []
            if len(row) == IN_A_ROW:
                return max(0.0, row[0] - end)
        return None
