"""Game servers that go on posting whatever the weather is, at a steady pace, and in the end as fast as they can."""

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import httpx

from tests.storm.plan import Script, scripts
from tests.storm.writers import BATCH, Answers, Writer

ANSWER_S = 12.0
"""A post that has not been answered for so long is sent again, perhaps to another gateway."""
PATIENCE = 150
"""So often the same ids are sent; a second or less apart."""
LASTS_S = 400.0
"""A script is long enough for so long."""
UNAVAILABLE = frozenset({502, 503, 504})


class SteadyWriter(Writer):
    """A writer of the storm's that paces itself, and to whom a broken connection is an unknown outcome."""

    def __init__(
        self, http: httpx.AsyncClient, script: Script, answers: Answers, enough: Callable[[], bool]
    ) -> None:
        """``enough`` is asked before each post."""
        super().__init__(http, script, answers)
        self._enough = enough
        self.pause_s = 1.0

    async def run(self) -> None:
        """Post until there was enough."""
        between = iter(zip(self._script.contested, self._script.refused, strict=True))
        for n, post in enumerate(self._script.posts):
            if self._enough():
                return
            await asyncio.sleep(self.pause_s * random.uniform(0.5, 1.5))
            await self._append(post)
            if n % 4 == 3 and (pair := next(between, None)) is not None:
                await self._win(pair[0])
                await self._be_refused(pair[1])
        raise AssertionError("the script was not long enough")

    async def _post(self, content: Any, headers: dict[str, str]) -> httpx.Response:
        return await persist(self._http, content, headers, self._answers)


async def persist(
    http: httpx.AsyncClient, content: Any, headers: dict[str, str], answers: Answers
) -> httpx.Response:
    """Send, and send the same ids again for as long as the outcome is unknown."""
    for _ in range(PATIENCE):
        try:
            answer = await http.post("/api/v1/events", json=content, headers=headers)
        except httpx.TransportError:
            answers.unknown += 1
            answers.dropped += 1
            await asyncio.sleep(random.uniform(0.05, 0.3))
            continue
        if answer.status_code not in UNAVAILABLE:
            return answer
        answers.unknown += 1
        await asyncio.sleep(min(1.0, float(answer.headers.get("retry-after", "1"))))
    raise AssertionError(f"unknown {PATIENCE} times in a row")


def client(url: str, key: str) -> httpx.AsyncClient:
    """Return an HTTP client as a game server has one."""
    limits = httpx.Limits(max_connections=48, max_keepalive_connections=32)
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=ANSWER_S)


class Load:
    """Twenty writers that post so many events a second, at least so many in all, and until told otherwise."""

    def __init__(self, http: httpx.AsyncClient, key: str, *, seed: int, events: int, a_second: float) -> None:
        """Write the script; it is long enough for a fault that lasts."""
        self.answers = Answers()
        self.key = key
        self.events, self._a_second = events, a_second
        self._over = False
        self._scripts = scripts(seed, max(events, round(a_second * LASTS_S)))
        self._writers = [SteadyWriter(http, each, self.answers, self._enough) for each in self._scripts]

    async def run(self) -> None:
        """Post until there was enough."""
        posts = [len(post) for script in self._scripts for post in script.posts]
        pause = len(self._writers) * sum(posts) / len(posts) / self._a_second
        async with asyncio.TaskGroup() as writers:
            for writer in self._writers:
                writer.pause_s = pause
                writers.create_task(writer.run())

    def fault_is_over(self) -> None:
        """End the load as soon as there were events enough; what is left of them comes as a flood."""
        self._over = True
        for writer in self._writers:
            writer.pause_s = 0.0

    def _enough(self) -> bool:
        return self._over and len(self.answers.places) >= self.events


def append(http: httpx.Client, load: Load, events: list[dict[str, Any]]) -> None:
    """Append events from a fault's thread, as persistently as everybody else."""
    headers = {**BATCH, "Authorization": f"Bearer {load.key}"}
    for _ in range(PATIENCE):
        with suppress(httpx.TransportError):
            answer = http.post("/api/v1/events", json=events, headers=headers)
            if answer.status_code == 200:
                for result in answer.json()["results"]:
                    load.answers.note(result)
                return
            assert answer.status_code in UNAVAILABLE, answer.text[:1_000]
        load.answers.unknown += 1
        time.sleep(0.5)
    raise AssertionError(f"unknown {PATIENCE} times in a row")


def big_batch(url: str, load: Load, name: str) -> None:
    """Append as many events as one request may hold: they are copied."""
    events = [
        {
            "specversion": "1.0", "id": f"{name}-{n}", "source": "/storm", "type": "loot.dropped",
            "partitionkey": f"{name}/{n % 40}", "data": {"n": n, "text": "x" * 300},
        }
        for n in range(1_000)
    ]  # fmt: skip
    with httpx.Client(base_url=url, timeout=ANSWER_S * 3) as http:
        append(http, load, events)
