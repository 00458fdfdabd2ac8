"""When somebody is told, and told again. Pure."""

from datetime import timedelta

from events.models import Severity

REPEATS = {
    Severity.CRITICAL: [timedelta(minutes=minutes) for minutes in (5, 15, 15, 30, 60)],
    Severity.WARNING: [timedelta(minutes=minutes) for minutes in (60, 240, 720)],
}
"""How long after the first, the second, ... message the next one goes out; the last goes on for ever."""
RETRY_FIRST = timedelta(seconds=15)
RETRY_MOST = timedelta(minutes=15)
RETRY_REFUSED = timedelta(minutes=15)
"""After a refusal that stands until somebody mends the address: the alarm still has to get through."""


def repeat_after(severity: Severity, told: int) -> timedelta:
    """Return how long after message number ``told`` (from 1) the next one follows."""
    pauses = REPEATS[severity]
    return pauses[min(max(told, 1), len(pauses)) - 1]


def retry_after(tries: int, asked_s: float | None, *, refused: bool) -> timedelta:
    """Return how long to wait after so many failures, and no shorter than the other side asks for, up to a limit."""
    if refused:
        return RETRY_REFUSED
    doubled = RETRY_FIRST * int(2 ** min(max(tries, 1) - 1, 10))
    return min(max(doubled, timedelta(seconds=asked_s or 0)), RETRY_MOST)
