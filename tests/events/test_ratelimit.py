"""Limits per key and minute: shared through Redis, counted alone where Redis is away."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from redis import Redis

from events import ratelimit
from events.breakers import RATE_LIMITS
from events.errors import RateLimited
from events.keys import Caller

NOON = datetime(2026, 11, 24, 12, 0, 15, tzinfo=UTC)
PATIENCE_S = 10
DEAD = "redis://127.0.0.1:1/0"


@pytest.fixture(autouse=True)
def _counted_for_this_test_alone(settings: Any) -> Iterator[None]:
    settings.CLARION_PREFIX = f"test-{uuid4()}-"
    ratelimit.forget()
    url = settings.REDIS_URL
    yield
    if url:
        with closing(Redis.from_url(url)) as redis:
            for key in redis.scan_iter(f"{settings.CLARION_PREFIX}*"):
                redis.delete(key)


def caller(limit: int | None, key: int = 1) -> Caller:
    return Caller(key_id=key, game_id=1, game="demo", scopes=frozenset(), rate_limit=limit, expires=None)


def another_process() -> None:
    """Forget what this process has counted, as if it were another one."""
    ratelimit.forget()


def test_a_minute_holds_as_many_as_the_limit_says() -> None:
    with time_machine.travel(NOON, tick=False):
        left = [ratelimit.charge(caller(3), 1) for _ in range(3)]
        assert [each and each.remaining for each in left] == [2, 1, 0]
        with pytest.raises(RateLimited, match="limit of 3 a minute"):
            ratelimit.charge(caller(3), 1)


def test_the_next_minute_begins_anew() -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        ratelimit.charge(caller(1), 1)
        with pytest.raises(RateLimited) as refused:
            ratelimit.charge(caller(1), 1)
        assert refused.value.retry_after_s == 45
        clock.shift(timedelta(seconds=44))
        with pytest.raises(RateLimited) as refused:
            ratelimit.charge(caller(1), 1)
        assert refused.value.retry_after_s == 1
        clock.shift(timedelta(seconds=1))
        assert ratelimit.charge(caller(1), 1)


def test_what_does_not_fit_uses_nothing_up() -> None:
    with time_machine.travel(NOON, tick=False):
        ratelimit.charge(caller(10), 6)
        for _ in range(5):
            with pytest.raises(RateLimited) as refused:
                ratelimit.charge(caller(10), 5)
        assert refused.value.headers == {
            "RateLimit-Limit": "10", "RateLimit-Remaining": "4", "RateLimit-Reset": "45",
        }  # fmt: skip
        left = ratelimit.charge(caller(10), 4)
        assert left
        assert left.remaining == 0


def test_each_key_has_its_own_minute() -> None:
    with time_machine.travel(NOON, tick=False):
        ratelimit.charge(caller(1, key=1), 1)
        assert ratelimit.charge(caller(1, key=2), 1)


def test_a_key_without_a_limit_is_not_counted() -> None:
    assert ratelimit.charge(caller(None), 1_000_000) is None


def test_a_limit_of_nothing_lets_nothing_through() -> None:
    with pytest.raises(RateLimited):
        ratelimit.charge(caller(0), 1)


@pytest.mark.services
def test_processes_share_one_count() -> None:
    with time_machine.travel(NOON, tick=False):
        ratelimit.charge(caller(3), 2)
        another_process()
        left = ratelimit.charge(caller(3), 1)
        assert left
        assert left.remaining == 0
        another_process()
        with pytest.raises(RateLimited):
            ratelimit.charge(caller(3), 1)


@pytest.mark.services
def test_what_is_counted_in_redis_goes_by_itself(settings: Any) -> None:
    ratelimit.charge(caller(3), 2)
    with closing(Redis.from_url(settings.REDIS_URL)) as redis:
        (key,) = redis.scan_iter(f"{settings.CLARION_PREFIX}*")
        assert 60 <= redis.ttl(key) <= 120


def test_while_redis_is_away_each_process_counts_for_itself(settings: Any) -> None:
    settings.REDIS_URL = DEAD
    with time_machine.travel(NOON, tick=False):
        assert ratelimit.charge(caller(2), 2)
        with pytest.raises(RateLimited):
            ratelimit.charge(caller(2), 1)


def test_a_redis_that_is_away_is_not_asked_again_before_its_breaker_has_closed(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REDIS_URL = DEAD
    asked: list[int] = []
    charge = ratelimit._Shared.charge

    def watched(*call: Any) -> Any:
        asked.append(1)
        return charge(*call)

    monkeypatch.setattr(ratelimit._Shared, "charge", watched)
    for _ in range(5):
        ratelimit.charge(caller(100), 1)
    assert len(asked) == 1
    RATE_LIMITS.reset()
    ratelimit.charge(caller(100), 1)
    assert len(asked) == 2


def test_a_redis_that_does_not_answer_is_away(settings: Any) -> None:
    """Redis is asked on the event loop: one that hangs may not hold everybody up."""
    with ThreadPoolExecutor() as pool, closing(socket.create_server(("127.0.0.1", 0))) as silent:
        settings.REDIS_URL = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        assert pool.submit(ratelimit.charge, caller(2), 1).result(PATIENCE_S)
    assert not RATE_LIMITS.is_closed
