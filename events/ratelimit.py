"""Limits per API key, in events a minute: shared through Redis, else counted by each process."""

import threading
import time
from dataclasses import dataclass

from django.conf import settings
from redis import Redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.exceptions import RedisError
from redis.retry import Retry

from events.breakers import RATE_LIMIT_TIMEOUT_S, RATE_LIMITS, REDIS
from events.errors import RateLimited
from events.keys import Caller

MINUTE_S = 60

_CHARGE = """
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local cost = tonumber(ARGV[1])
if used + cost > tonumber(ARGV[2]) then
    return {0, used}
end
redis.call('INCRBY', KEYS[1], cost)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return {1, used + cost}
"""
"""Count a cost if it still fits; answer whether it did, and what is used by now."""


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a key may still send in this minute."""

    limit: int
    remaining: int
    reset_s: int

    def headers(self) -> dict[str, str]:
        """Return the ``RateLimit-*`` headers."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


def charge(caller: Caller, cost: int) -> Left | None:
    """Count ``cost`` against the key's minute; None where there is no limit.

    Raises:
        RateLimited: it does not fit any more. Nothing was counted.
    """
    limit = caller.rate_limit
    if limit is None:
        return None
    minute, second = divmod(int(time.time()), MINUTE_S)
    fits, used = _counted(caller.key_id, minute, cost, limit)
    left = Left(limit=limit, remaining=max(0, limit - used), reset_s=MINUTE_S - second)
    if not fits:
        raise RateLimited(limit, left.reset_s, left.headers())
    return left


def forget() -> None:
    """Start to count anew in this process."""
    global _shared  # noqa: PLW0603 - the one place that this module keeps
    _shared = _Shared()
    _own.clear()


class _Own:
    """What this process has counted in the current minute."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self._minute, self._used = 0, dict[int, int]()

    def charge(self, key_id: int, minute: int, cost: int, limit: int) -> tuple[bool, int]:
        with self._lock:
            if minute != self._minute:
                self._minute, self._used = minute, {}
            used = self._used.get(key_id, 0)
            if used + cost > limit:
                return False, used
            self._used[key_id] = used + cost
            return True, used + cost


class _Shared:
    """The counter in Redis."""

    def __init__(self) -> None:
        self._script: Script | None = None

    def charge(self, key_id: int, minute: int, cost: int, limit: int) -> tuple[bool, int]:
        if self._script is None:
            self._script = _redis().register_script(_CHARGE)
        key = f"{settings.CLARION_PREFIX}clarion:rate:{key_id}:{minute}"
        fits, used = self._script(keys=[key], args=[cost, limit, 2 * MINUTE_S])
        return bool(fits), int(used)


_own, _shared = _Own(), _Shared()


def _counted(key_id: int, minute: int, cost: int, limit: int) -> tuple[bool, int]:
    """Count in Redis, or here while Redis is away."""
    if settings.REDIS_URL and REDIS.is_closed and (ticket := RATE_LIMITS.admit()):
        try:
            counted = _shared.charge(key_id, minute, cost, limit)
        except RedisError as error:
            RATE_LIMITS.failed(ticket, error)
        else:
            RATE_LIMITS.succeeded(ticket)
            return counted
    return _own.charge(key_id, minute, cost, limit)


def _redis() -> Redis:
    """Return a client that gives up at the first failure."""
    return Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=RATE_LIMIT_TIMEOUT_S,
        socket_connect_timeout=RATE_LIMIT_TIMEOUT_S,
        retry=Retry(NoBackoff(), 0),
    )
