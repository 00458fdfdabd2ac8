"""Players and game servers who live through a restore: devices start over, what was posted is posted again."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
from websockets.asyncio.client import ClientConnection

from tests.chaos.load import client, persist
from tests.chaos.watching import WatchedDevice
from tests.config.processes import MANAGE, finished
from tests.storm.devices import Standing
from tests.storm.test_storm import stage, token, until, within
from tests.storm.writers import BATCH, Answers

PLAYERS = 6
EVERY_S = 0.03
PATIENCE_S = 60.0
REPEATED = 50
"""So many events in one request when they are posted again."""


class StartingOver(WatchedDevice):
    """A device that loads its inbox when it is told to, as the protocol asks; it keeps the ids that it has shown."""

    hurry = 5.0

    def __init__(self, url: str, who: str, key: str) -> None:
        """Stand at the beginning."""
        super().__init__(url.replace("http", "ws", 1) + "/ws/v1/player", who, who, key, reads=False, seed=1)
        self.calm = True
        self._inbox, self._bearer = f"{url}/api/v1/inbox", {"Authorization": f"Bearer {key}"}
        self.resets = 0
        self.titles: Counter[str] = Counter()
        """How often each was shown."""
        self.loaded: set[str] = set()
        """Titles that came with the inbox."""

    def has(self) -> set[str]:
        """Return the titles that this player knows of."""
        return self.loaded | set(self.titles)

    async def _handle(self, socket: ClientConnection, frame: dict[str, Any]) -> None:
        if frame["type"] != "ready" or frame["resume"] != "reset":
            await super()._handle(socket, frame)
            return
        self.resets += 1
        self.stands = Standing(epoch=frame["epoch"], seq=frame["head"], announcements=frame["announcements"])
        self._acked = frame["head"]
        self.ready.set()
        await self._load()

    async def _load(self) -> None:
        async with httpx.AsyncClient(headers=self._bearer) as http:
            before = ""
            while True:
                answer = await http.get(f"{self._inbox}?limit=100{before}")
                if answer.status_code == 503:  # a database that came back this moment; the answer says when
                    await asyncio.sleep(float(answer.headers["retry-after"]))
                    continue
                page = answer.raise_for_status().json()
                for item in page["items"]:
                    self._known.add(item["id"])
                    self.loaded.add(item["title"])
                if page["next"] is None:
                    return
                before = f"&before={page['next']}"

    def _show(self, item: dict[str, Any]) -> None:
        if item["id"] not in self._known:
            self.titles[item["title"]] += 1
        super()._show(item)


class World:
    """A game, its players' devices, and a game server that posts an event every so often."""

    def __init__(self, url: str, environment: Mapping[str, str]) -> None:
        """Nothing lives before ``living``."""
        self.url, self.environment = url, dict(environment)
        self.devices: list[StartingOver] = []
        self.answers = Answers()
        self.posted: list[dict[str, Any]] = []
        self.pause = asyncio.Event()
        """Set, nothing more is posted."""
        self._living: asyncio.Future[Any] | None = None
        self._http: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """Let all of them live."""
        key = await asyncio.to_thread(stage, **self.environment)
        async with client(self.url, key) as http:
            self._http = http
            for n in range(PLAYERS):
                self.devices.append(StartingOver(self.url, f"p{n}", await token(http, key, f"p{n}")))
            self._living = asyncio.gather(*(device.run() for device in self.devices), self._post())
            try:
                await self.wait(until(lambda: all(device.ready.is_set() for device in self.devices)))
                yield
            finally:
                self._living.cancel()
                await asyncio.gather(self._living, return_exceptions=True)

    async def wait(self, work: Coroutine[Any, Any, Any]) -> None:
        """Wait for something as long as all live, and not for ever."""
        assert self._living
        await within(PATIENCE_S, self._living, work)

    async def posts(self, count: int) -> None:
        """Wait until so many events more were answered."""
        enough = len(self.posted) + count
        await self.wait(until(lambda: len(self.posted) >= enough))

    async def _post(self) -> None:
        assert self._http
        n = 0
        while True:
            await asyncio.sleep(EVERY_S)
            if self.pause.is_set():
                continue
            event = {
                "specversion": "1.0", "id": f"invite-{n}", "source": "/storm", "type": "guild.invite.received",
                "partitionkey": f"p{n % PLAYERS}", "data": {"player_id": f"p{n % PLAYERS}", "n": n},
            }  # fmt: skip
            answer = await persist(self._http, [event], BATCH, self.answers)
            assert answer.status_code == 200, answer.text
            self.posted.append(event)
            n += 1

    async def repeat_all(self) -> Counter[str]:
        """Post all again, as a game server does that keeps what it has sent; count the answers."""
        assert self._http
        told: Counter[str] = Counter()
        for begin in range(0, len(self.posted), REPEATED):
            answer = await persist(self._http, self.posted[begin : begin + REPEATED], BATCH, self.answers)
            assert answer.status_code == 200, answer.text
            told.update(each["status"] for each in answer.json()["results"])
        return told

    async def everybody_was_reset(self, times: int) -> None:
        """Wait until each device was reset so often."""
        await self.wait(until(lambda: all(device.resets >= times for device in self.devices)))
        assert {device.resets for device in self.devices} == {times}

    async def everybody_has_everything_once(self) -> None:
        """Wait until each player knows of all that was posted for them; nothing was shown twice."""
        for n, device in enumerate(self.devices):
            mine = {f"invite {each['data']['n']}" for each in self.posted if each["data"]["n"] % PLAYERS == n}
            await self.wait(until(lambda device=device, mine=mine: mine <= device.has()))
            assert {title: count for title, count in device.titles.items() if count > 1} == {}

    def verified(self) -> str:
        """Return what ``manage.py verify`` finds."""
        result = finished(MANAGE, "verify", **self.environment)
        assert result.returncode in {0, 1}, result.stderr
        return "" if result.returncode == 0 else result.stdout
