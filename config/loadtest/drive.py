"""The test itself: tokens, sockets, posts, and waiting for the last arrival."""

import asyncio
import time
from collections.abc import Coroutine, Sequence
from typing import Any

import httpx
from websockets.exceptions import InvalidHandshake

from config.loadtest.devices import Device, DeviceLost
from config.loadtest.plan import Plan
from config.loadtest.tally import Result, Tally

CONNECTIONS = 32
LAST_ARRIVAL_S = 30.0
"""So long the test waits for what has been posted."""
SOCKETS_S = 60.0


class LoadTestFailed(Exception):
    """The test could not be run: the server refused something."""


async def drive(plan: Plan) -> Result:
    """Run a plan against its server.

    Raises:
        LoadTestFailed: the server is not there, or has refused a token, a socket or an event; with what it said.
    """
    try:
        return await _drive(plan)
    except (httpx.HTTPError, DeviceLost, InvalidHandshake, OSError) as error:
        raise LoadTestFailed(f"{type(error).__name__}: {error}") from error


async def _drive(plan: Plan) -> Result:
    tally = Tally(plan.run)
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    headers = {"Authorization": f"Bearer {plan.key}"}
    async with httpx.AsyncClient(base_url=plan.url, headers=headers, limits=limits, timeout=30) as http:
        devices = [
            Device(plan.url, player, token, lambda who, item: tally.arrived(who, item, time.perf_counter()))
            for player, token in await _tokens(http, plan)
        ]
        sockets = asyncio.gather(*(device.run() for device in devices))
        try:
            await _while_all_live(sockets, _ready(devices), SOCKETS_S)
            await _while_all_live(sockets, _post_all(http, plan, tally), None)
            await _while_all_live(sockets, _all_arrived(tally), None)
        finally:
            sockets.cancel()
            await asyncio.gather(sockets, return_exceptions=True)
    return tally.result()


async def _tokens(http: httpx.AsyncClient, plan: Plan) -> list[tuple[str, str]]:
    players = [plan.player(n) for n in range(plan.players)]
    answers = await asyncio.gather(*(http.post(f"/api/v1/players/{player}/tokens") for player in players))
    return [
        (player, _checked(answer).json()["token"]) for player, answer in zip(players, answers, strict=True)
    ]


async def _ready(devices: Sequence[Device]) -> None:
    for device in devices:
        await device.ready.wait()


async def _post_all(http: httpx.AsyncClient, plan: Plan, tally: Tally) -> None:
    if plan.rate is None:
        await _post_batches(http, plan, tally)
    else:
        await _post_at_rate(http, plan, tally, plan.rate)


async def _post_batches(http: httpx.AsyncClient, plan: Plan, tally: Tally) -> None:
    """Post batch after batch: several under way at once could overtake each other, and order is counted."""
    for numbers in plan.batches():
        await _post(http, plan, tally, numbers)


async def _post_at_rate(http: httpx.AsyncClient, plan: Plan, tally: Tally, rate: float) -> None:
    """Post at fixed times, whether earlier posts were answered or not: a slow server gets no mercy."""
    start = time.perf_counter()
    posts = []
    for n in range(plan.events):
        await asyncio.sleep(max(0.0, start + n / rate - time.perf_counter()))
        posts.append(asyncio.create_task(_post(http, plan, tally, range(n, n + 1))))
        if posts[0].done():
            posts.pop(0).result()  # a refusal ends the test at once
    await asyncio.gather(*posts)


async def _post(http: httpx.AsyncClient, plan: Plan, tally: Tally, numbers: range) -> None:
    events = [plan.event(n) for n in numbers]
    at = time.perf_counter()
    for n in numbers:
        tally.posted(n, at)
    if plan.batch == 1:
        content = {"content-type": "application/cloudevents+json"}
        answer = await http.post("/api/v1/events", json=events[0], headers=content)
        results = [_checked(answer).json()]
    else:
        content = {"content-type": "application/cloudevents-batch+json"}
        answer = await http.post("/api/v1/events", json=events, headers=content)
        results = _checked(answer).json()["results"]
    versions = [result["version"] for result in results]
    tally.accepted(dict(zip(numbers, versions, strict=True)), time.perf_counter())


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
    if answer.status_code not in {200, 201}:
        raise LoadTestFailed(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}"
        )
    return answer
