"""Servers that go away and come back: each has a known effect, and none loses anything."""

import signal
import time

import pytest

from tests.chaos.fleet import Deployment
from tests.chaos.scene import Scene

pytestmark = [pytest.mark.chaos, pytest.mark.services]

PUSHES_MS = {"urgent": 2_000, "normal": 2_000, "bulk": 8_000}
"""The 99th percentile of pushes while Redis or the broker is away."""


def test_03_without_redis_pushes_go_on(deployment: Deployment, weather) -> None:
    def fault(scene: Scene) -> None:
        with scene.outage("away"):
            deployment.servers.redis.stop()
            time.sleep(scene.form.of(6, 20))  # so long it is away
        deployment.servers.redis.start()

    told = weather(fault, deployment)
    assert_pushes_went_on(told.figures["away"])
    assert not told.figures["closings"]


def test_04_without_a_broker_and_with_one_that_confirms_nothing_pushes_go_on(
    deployment: Deployment, weather
) -> None:
    def fault(scene: Scene) -> None:
        with scene.outage("blocked"):
            deployment.to_rabbit.stall()
            time.sleep(scene.form.of(5, 20))  # so long it is blocked
        deployment.to_rabbit.flow()
        with scene.outage("away"):
            deployment.servers.rabbit.stop(signal.SIGTERM)
            deployment.servers.rabbit.forget()
            time.sleep(scene.form.of(3, 20))  # so long it is away
        deployment.servers.rabbit.start()

    told = weather(fault, deployment)
    assert_pushes_went_on(told.figures["blocked"])
    assert_pushes_went_on(told.figures["away"])


def test_05_a_database_that_restarts_twice_loses_nothing_that_was_answered(
    deployment: Deployment, weather
) -> None:
    def fault(scene: Scene) -> None:
        for number in (signal.SIGINT, signal.SIGQUIT):  # -m fast, -m immediate
            deployment.servers.postgres.stop(number)
            time.sleep(scene.form.of(1, 5))  # so long it is away
            deployment.servers.postgres.start()
            scene.ended = time.monotonic()
            time.sleep(scene.form.of(3, 10))  # load in between, no wait for anything

    told = weather(fault, deployment)
    assert told.figures["unknown"] > 0
    assert not told.figures["closings"]


def assert_pushes_went_on(latencies: dict[str, list[int]]) -> None:
    late = {lane: found for lane, found in latencies.items() if found[1] > PUSHES_MS[lane]}
    assert not late
    assert latencies.keys() == PUSHES_MS.keys()
