"""The test itself: tokens, sockets, posts, and waiting for the last arrival."""

import asyncio
import time

import httpx

from config.loadtest.devices import Device
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
        LoadTestFailed: a token, a socket or an event was refused, with what the server said.
    """
    tally = Tally(plan.run)
    limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
    headers = {"Authorization": f"Bearer {plan.key}"}
    async with httpx.AsyncClient(base_url=plan.url, headers=headers, limits=limits, timeout=30) as http:
        devices = [
            Device(plan.url, player, token, lambda who, item: tally.arrived(who, item, time.perf_counter()))
            for player, token in await _tokens(http, plan)
        ]
        sockets = asyncio.gather(*(device.run() for device in devices))
        await _or_failure(sockets, asyncio.gather(*(device.ready.wait() for device in devices)), SOCKETS_S)
        await _or_failure(sockets, _post_all(http, plan, tally), None)
        await _or_failure(sockets, _all_arrived(tally), None)
        sockets.cancel()
        await asyncio.gather(sockets, return_exceptions=True)
    return tally.result()


async def _tokens(http: httpx.AsyncClient, plan: Plan) -> list[tuple[str, str]]:
    players = [plan.player(n) for n in range(plan.players)]
    answers = await asyncio.gather(*(http.post(f"/api/v1/players/{player}/tokens") for player in players))
    return [
        (player, _checked(answer).json()["token"]) for player, answer in zip(players, answers, strict=True)
    ]


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
    async with asyncio.TaskGroup() as posts:
        for n in range(plan.events):
            await asyncio.sleep(max(0.0, start + n / rate - time.perf_counter()))
            posts.create_task(_post(http, plan, tally, range(n, n + 1)))


async def _post(http: httpx.AsyncClient, plan: Plan, tally: Tally, numbers: range) -> None:
    events = [plan.event(n) for n in numbers]
    at = time.perf_counter()
    for n in numbers:
        tally.posted(n, at)
    if len(events) == 1 and plan.batch == 1:
        content = {"content-type": "application/cloudevents+json"}
        answer = await http.post("/api/v1/events", json=events[0], headers=content)
    else:
        content = {"content-type": "application/cloudevents-batch+json"}
        answer = await http.post("/api/v1/events", json=events, headers=content)
    _checked(answer)
    tally.accepted(len(events), time.perf_counter())


async def _all_arrived(tally: Tally) -> None:
    end = time.perf_counter() + LAST_ARRIVAL_S
    while tally.waiting and time.perf_counter() < end:  # noqa: ASYNC110 - sockets need no event to count
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)  # what comes twice comes soon


async def _or_failure(sockets: asyncio.Future[list[None]], work: object, patience_s: float | None) -> None:
    """Wait for some work, but not longer than all sockets live."""
    task = asyncio.ensure_future(work)  # type: ignore[call-overload]
    done, _ = await asyncio.wait({task, sockets}, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
    if task in done:
        task.result()
        return
    task.cancel()
    if sockets in done:
        error = sockets.exception()
        raise LoadTestFailed(str(error)) from error
    raise LoadTestFailed(f"not all sockets were ready within {patience_s} s")


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.status_code not in {200, 201}:
        raise LoadTestFailed(
            f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:300]}"
        )
    return answer
