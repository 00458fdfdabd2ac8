"""When a dead letter is tried again by itself: doubling from a minute to an hour, for a day; soon after an end."""

import random
from datetime import datetime, timedelta

FIRST = timedelta(minutes=1)
LONGEST = timedelta(hours=1)
FOR = timedelta(hours=24)
"""Since the event first failed for good; after that the letter waits for somebody."""
JITTER = 0.2
AFTER_AN_END = timedelta(seconds=5)
"""The first retry of an event at which processes ended: most are ended by somebody (an operator, a lack of memory), and
it is innocent. Where it is not, it most often ends a child: those come first at it (``patience``)."""


def first_retry(now: datetime, *, ended: bool) -> datetime | None:
    """Return when to try what has just been parked; ``ended`` when no error told why."""
    return now + AFTER_AN_END if ended else next_retry(now, now, 0)


def next_retry(now: datetime, first_failed: datetime, retries: int) -> datetime | None:
    """Return when to try again after so many retries; None when that would be too late."""
    pause = min(LONGEST, FIRST * 2 ** min(retries, 10)) * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter, no secret
    return now + pause if now + pause <= first_failed + FOR else None
