"""Limits per API key, in events a minute: shared through Redis, else counted by each process."""

import time
from dataclasses import dataclass
from typing import cast

import structlog
from django.conf import settings
from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage, Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter, RateLimiter
from redis.exceptions import RedisError

from events.errors import RateLimited
from events.keys import Caller

PAUSE_S = 5.0
"""For so long nothing asks a Redis that has failed; each process counts for itself meanwhile."""
REDIS_TIMEOUT_S = 0.05

log = structlog.get_logger(__name__)


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


class _Limits:
    """The shared counter, and the one to fall back to."""

    def __init__(self) -> None:
        self._own: RateLimiter = FixedWindowRateLimiter(MemoryStorage())
        self._shared: RateLimiter | None = None
        self._away_until = 0.0

    def charge(self, caller: Caller, cost: int) -> Left | None:
        """Count ``cost`` against the key's minute; None where there is no limit.

        Raises:
            RateLimited: it does not fit any more. Nothing was counted.
        """
        if caller.rate_limit is None:
            return None
        item = RateLimitItemPerMinute(caller.rate_limit)
        limiter = self._limiter()
        try:
            return self._charge(limiter, item, caller, cost)
        except RedisError as error:
            self._away_until = time.monotonic() + PAUSE_S
            log.warning("ratelimit.redis_away", error=type(error).__name__)
            return self._charge(self._own, item, caller, cost)

    @staticmethod
    def _charge(limiter: RateLimiter, item: RateLimitItemPerMinute, caller: Caller, cost: int) -> Left:
        names = (settings.CLARION_PREFIX, str(caller.key_id))
        fits = cost == 0 or limiter.hit(item, *names, cost=cost)
        window = limiter.get_window_stats(item, *names)
        reset_s = max(1, int(window.reset_time - time.time()) + 1)
        if not fits:
            raise RateLimited(item.amount, reset_s)
        return Left(limit=item.amount, remaining=max(0, int(window.remaining)), reset_s=reset_s)

    def _limiter(self) -> RateLimiter:
        if not settings.REDIS_URL or time.monotonic() < self._away_until:
            return self._own
        if self._shared is None:
            self._shared = FixedWindowRateLimiter(_redis())
        return self._shared


def _redis() -> Storage:
    storage = storage_from_string(
        settings.REDIS_URL, socket_timeout=REDIS_TIMEOUT_S, socket_connect_timeout=REDIS_TIMEOUT_S
    )
    return cast("Storage", storage)  # only URLs that begin with async+ give another kind


charge = _Limits().charge
