"""When to try again. Pure."""

from datetime import datetime, timedelta

DELAYS_S = (10, 30, 120, 300, 900, 1_800, 3_600, 10_800, 21_600, 46_800)
"""After the first failed try, the second, and so on: eleven tries in just under a day."""
LIFE = timedelta(days=1)
"""So old may a delivery become, if its notification does not expire earlier."""
JITTER = 0.2
"""By so much of itself a delay is shortened at most, so that what failed together does not come together."""


def until(queued: datetime, expires: datetime | None) -> datetime:
    """Return when the last try may begin."""
    return min(queued + LIFE, expires) if expires else queued + LIFE


def next_try(failed: int, now: datetime, retry_after_s: float | None, dice: float) -> datetime | None:
    """Return when to try again after so many failed tries (at least 1); None when there were enough.

    ``retry_after_s`` makes it later, never earlier. ``dice`` is a number from 0 to 1.
    """
    if failed > len(DELAYS_S):
        return None
    delay = DELAYS_S[failed - 1] * (1 - JITTER * dice)
    return now + timedelta(seconds=max(delay, retry_after_s or 0))
