"""Probes are answered in time, whatever hangs behind them."""

import asyncio
import threading
import time

import pytest
from django.test import AsyncClient

from config import health
from config.draining import Draining


async def test_a_dependency_that_hangs_costs_one_thread_and_a_second_at_most(monkeypatch) -> None:
    monkeypatch.setattr(health, "TIMEOUT_S", 0.05)
    let_go, asked = threading.Event(), []

    def hang() -> None:
        asked.append(threading.get_ident())
        let_go.wait(30)

    probe = health.Probe("hanging", hang)
    began = time.monotonic()
    states = [await probe.state() for _ in range(5)]
    assert time.monotonic() - began < 5
    assert states == ["no answer within 0.05 s"] * 5
    assert len(asked) == 1
    let_go.set()


async def test_a_dependency_that_is_back_is_ok_again() -> None:
    faults = [ConnectionError("redis://user:hunter2@redis.example")]

    def check() -> None:
        if faults:
            raise faults.pop()

    probe = health.Probe("redis", check)
    assert await probe.state() == "ConnectionError"
    assert await probe.state() == "ok"


@pytest.mark.django_db(transaction=True)
async def test_without_its_database_it_is_not_ready_and_without_broker_it_is(monkeypatch) -> None:
    def away() -> None:
        raise ConnectionError

    def fine() -> None:
        pass

    for name, check, status, said in (
        ("DATABASE", away, 503, "unavailable"),
        ("BROKER", away, 200, "degraded"),
        ("BROKER", fine, 200, "ok"),
    ):
        with monkeypatch.context() as patch:
            for each in ("DATABASE", "BROKER", "REDIS"):
                patch.setattr(health, each, health.Probe(each.lower(), check if each == name else fine))
            answer = await AsyncClient().get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (status, said)


async def test_what_is_not_there_is_a_problem_below_api_only() -> None:
    for path in ("/api/nothing", "/api/v1/nothing"):
        answer = await AsyncClient().get(path)
        assert answer.status_code == 404
        assert answer["Content-Type"] == "application/problem+json"
    assert (await AsyncClient().get("/nothing"))["Content-Type"].startswith("text/html")


async def test_a_cancelled_connection_ends_normally_and_other_errors_are_raised() -> None:
    async def endless(*_: object) -> None:
        await asyncio.Event().wait()

    async def broken(*_: object) -> None:
        raise ValueError("broken")

    task = asyncio.create_task(Draining(endless)({}, endless, endless))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    task.cancel()
    assert await task is None
    with pytest.raises(ValueError, match="broken"):
        await Draining(broken)({}, endless, endless)  # type: ignore[arg-type]
