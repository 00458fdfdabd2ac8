"""The test itself: tokens, sockets, posts, and waiting for the last arrival."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import httpx
from websockets.exceptions import InvalidHandshake

from config.loadtest.devices import Device, DeviceLost, OnNew
from config.loadtest.plan import Plan
from config.loadtest.tally import Result, Tally

CONNECTIONS = 32
LAST_ARRIVAL_S = 30.0
"""So long the test waits for what has been posted."""
SOCKETS_S = 60.0


class LoadTestFailed(Exception):
    """The test could not be run: the server refused something."""


class Socket(Protocol):
    """What a target has for each player."""

    ready: asyncio.Event

    async def run(self) -> None:
        """Stay connected until cancelled."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """What differs between Clarion and what it is measured beside."""

    sockets: Callable[[httpx.AsyncClient, Plan, OnNew], Awaitable[Sequence[Socket]]]
    versions: Callable[[httpx.Response, range], Mapping[int, int]]
    """From an answer: the version of each event in its player's stream, by the event's number."""


async def clarion_sockets(http: httpx.AsyncClient, plan: Plan, on_new: OnNew) -> list[Device]:
    """Return a device for each player, with a token that the game server asked for."""
    players = [plan.player(n) for n in range(plan.players)]
    answers = await asyncio.gather(*(http.post(f"/api/v1/players/{player}/tokens") for player in players))
    return [
        Device(plan.url, player, _checked(answer).json()["token"], on_new)
        for player, answer in zip(players, answers, strict=True)
    ]


def clarion_versions(answer: httpx.Response, numbers: range) -> dict[int, int]:
    """Read a single event's answer, or a batch's."""
    told = answer.json()
    return dict(zip(numbers, (each["version"] for each in told.get("results", [told])), strict=True))


CLARION = Target(sockets=clarion_sockets, versions=clarion_versions)


async def drive(plan: Plan, target: Target = CLARION) -> Result:
    """Run a plan against its server.

    Raises:
        LoadTestFailed: the server is not there, or has refused a token, a socket or an event; with what it said.
    """
    try:
        return await _drive(plan, target)
    except (httpx.HTTPError, DeviceLost, InvalidHandshake, OSError) as error:
        raise LoadTestFailed(f"{type(error).__name__}: {error}") from error


async def _drive(plan: Plan, target: Target) -> Result:
    tally = Tally(plan.run)
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    headers = {"Authorization": f"Bearer {plan.key}"}
    async with httpx.AsyncClient(base_url=plan.url, headers=headers, limits=limits, timeout=30) as http:
        devices = await target.sockets(
            http, plan, lambda who, item: tally.arrived(who, item, time.perf_counter())
        )
        sockets = asyncio.gather(*(device.run() for device in devices))
        post = Post(http, plan, tally, target)
        try:
            await _while_all_live(sockets, _ready(devices), SOCKETS_S)
            await _while_all_live(sockets, post.all(), None)
            await _while_all_live(sockets, _all_arrived(tally), None)
        finally:
            sockets.cancel()
            await asyncio.gather(sockets, return_exceptions=True)
    return tally.result()


async def _ready(devices: Sequence[Socket]) -> None:
    for device in devices:
        await device.ready.wait()


@dataclass(frozen=True)
class Post:
    """The game server's side."""

    http: httpx.AsyncClient
    plan: Plan
    tally: Tally
    target: Target

    async def all(self) -> None:
        """Post the whole plan."""
        if self.plan.rate is None:
            await self._in_batches()
        else:
            await self._at_rate(self.plan.rate)

    async def _in_batches(self) -> None:
        """Post batch after batch: several under way at once could overtake each other, and order is counted."""
        for numbers in self.plan.batches():
            await self._one(numbers)

    async def _at_rate(self, rate: float) -> None:
        """Post at fixed times, whether earlier posts were answered or not: a slow server gets no mercy."""
        start = time.perf_counter()
        posts = []
        for n in range(self.plan.events):
            await asyncio.sleep(max(0.0, start + n / rate - time.perf_counter()))
            posts.append(asyncio.create_task(self._one(range(n, n + 1))))
            if posts[0].done():
                posts.pop(0).result()  # a refusal ends the test at once
        await asyncio.gather(*posts)

    async def _one(self, numbers: range) -> None:
        events = [self.plan.event(n) for n in numbers]
        alone = self.plan.batch == 1
        content = {"content-type": f"application/cloudevents{'' if alone else '-batch'}+json"}
        at = time.perf_counter()
        for n in numbers:
            self.tally.posted(n, at)
        answer = await self.http.post("/api/v1/events", json=events[0] if alone else events, headers=content)
        self.tally.accepted(self.target.versions(_checked(answer), numbers), time.perf_counter())


async def _all_arrived(tally: Tally) -> None:
    end = time.perf_counter() + LAST_ARRIVAL_S
    while tally.waiting and time.perf_counter() < end:  # noqa: ASYNC110 - sockets need no event to count
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)  # what comes twice comes soon


async def _while_all_live(
    sockets: asyncio.Future[Any], work: Coroutine[Any, Any, None], seconds: float | None
) -> None:
    """Wait for some work, but not longer than all sockets live."""
    task = asyncio.create_task(work)
    try:
        both: set[asyncio.Future[Any]] = {task, sockets}
        await asyncio.wait(both, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        if sockets.done():
            sockets.result()  # raises: a socket ends by a fault only
        if not task.done():
            raise LoadTestFailed(f"not all sockets were ready within {seconds} s")
        task.result()
    finally:
        task.cancel()


def _checked(answer: httpx.Response) -> httpx.Response:
    if not answer.is_success:
        raise LoadTestFailed(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}"
        )
    return answer
