"""What is away is told where people and machines look: readiness, metrics, the front page."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import AsyncClient

from config import metrics
from config.console import pulse
from events import breakers
from events.breakers import BROKER, RATE_LIMITS, REDIS, Breaker, Circuit
from events.breakers.breaker import opened

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _nobody_asks(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[None]:
    """What is away stays so for as long as the test lasts, also where such servers are there."""
    settings.CLARION_SERVICES = True
    with monkeypatch.context() as patch:
        for breaker in (BROKER, REDIS, RATE_LIMITS):
            patch.setattr(breaker, "_new_circuit", lambda: Circuit(first_s=600, longest_s=600))
            breaker.reset()
        yield
    breakers.forget()


async def readyz() -> Any:
    return await AsyncClient().get("/readyz")


async def test_readiness_names_what_is_away_since_when_and_why() -> None:
    BROKER.trip("blocked")
    answer = await readyz()
    assert answer.status_code == 200
    told = answer.json()
    assert told["status"] == "degraded"
    since = BROKER.status().since
    assert since is not None
    assert told["dependencies"]["broker"] == f"away since {since:%H:%M:%S} UTC: blocked"
    state = told["breakers"]["broker"]
    assert (state["state"], state["opened"], state["why"]) == ("open", 1, "blocked")
    assert state["since"]
    assert state["asked_again_in_s"] > 0
    assert told["breakers"]["redis"] == {"state": "closed", "opened": 0}


def gauges() -> dict[str, float]:
    (family,) = [each for each in metrics.State().collect() if each.name == "clarion_breaker_state"]
    return {sample.labels["name"]: sample.value for sample in family.samples}


def _half_open(breaker: Breaker) -> None:
    breaker._circuit.trip(0.0)
    breaker._circuit.admit(10_000.0)


def test_metrics_tell_each_state_and_count_what_has_gone_away() -> None:
    before = opened.labels("broker")._value.get()
    BROKER.trip("blocked")
    _half_open(REDIS)
    assert gauges() == {"database": 0, "broker": 2, "redis": 1, "rate limits": 0}
    assert opened.labels("broker")._value.get() == before + 1
    breakers.forget()
    assert set(gauges().values()) == {0}


def front_page() -> list[str]:
    pulse.forget()
    return [each["text"] for each in pulse.measure()["warnings"]]


@pytest.mark.parametrize(
    ("breaker", "begins", "goes_on"),
    [
        (BROKER, "The broker is away since ", "Appends and pushes go on: each lane is drained"),
        (REDIS, "Redis is away since ", "No socket is closed. Pushes take about a second"),
        (RATE_LIMITS, "Redis is too slow for rate limits, or away since ", "Each process counts for itself"),
    ],
    ids=["broker", "redis", "rate limits"],
)
def test_the_front_page_says_what_is_away_what_goes_on_and_what_waits(
    breaker: Breaker, begins: str, goes_on: str
) -> None:
    assert front_page() == []
    breaker.trip("ConnectionError")
    (told,) = front_page()
    assert told.startswith(begins)
    assert "ConnectionError" not in told  # plain words; the log has the class
    assert goes_on in told
    breakers.forget()
    assert front_page() == []


def test_one_redis_that_is_away_is_one_sentence() -> None:
    REDIS.trip("ConnectionError")
    RATE_LIMITS.trip("TimeoutError")
    assert len(front_page()) == 1
