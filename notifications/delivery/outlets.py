"""Which channels a game has set up, and how the other side of each is doing."""

import random
import threading
import time
from datetime import UTC, datetime, timedelta

from django.db.models import F, Q

from notifications.delivery import registry
from notifications.models import Outlet

CACHE_S = 1.0
"""What staff switch takes effect here at once, in other processes within a second."""
FAILURES = 5
"""After so many transient failures in a row nothing is tried for a while."""
NOTED_EVERY = timedelta(seconds=5)
"""So often it is noted at most that the other side takes what it is sent."""
PAUSE_S = (30.0, 600.0)
"""The first such while, and the longest; each is double the one before, and jittered."""

_ready: dict[int, tuple[float, frozenset[str]]] = {}
_lock = threading.Lock()


def ready(game_id: int) -> frozenset[str]:
    """Return the channels that a game has set up and switched on, at most a second old."""
    entry = _ready.get(game_id)
    if entry is not None and entry[0] >= time.monotonic():
        return entry[1]
    rows = Outlet.objects.filter(game_id=game_id, enabled=True).values_list("channel", flat=True)
    found = frozenset(rows) & frozenset(registry.names())
    with _lock:
        _ready[game_id] = (time.monotonic() + CACHE_S, found)
    return found


def known(game_id: int) -> frozenset[str]:
    """Return the channels that a game has set up, switched on or not."""
    rows = Outlet.objects.filter(game_id=game_id).values_list("channel", flat=True)
    return frozenset(rows) & frozenset(registry.names())


def put(game_id: int, channel: str, *, enabled: bool) -> None:
    """Set a channel of a game up, or switch it; whatever was wrong with it is forgotten."""
    Outlet.objects.update_or_create(
        game_id=game_id,
        channel=channel,
        defaults={"enabled": enabled, "failures": 0, "closed_until": None},
    )
    forget()


def succeeded(outlet_id: int) -> None:
    """Note that the other side has taken something; most times there is nothing to change."""
    now = datetime.now(UTC)
    noted = Q(failures=0, closed_until=None, last_success__gt=now - NOTED_EVERY)
    Outlet.objects.filter(pk=outlet_id).exclude(noted).update(failures=0, closed_until=None, last_success=now)


def refused(outlet_id: int, fault: str) -> None:
    """Note that the other side has answered, and will never take what it was sent."""
    Outlet.objects.filter(pk=outlet_id).update(
        failures=0, closed_until=None, last_failure=datetime.now(UTC), last_fault=fault
    )


def failed(outlet_id: int, fault: str, retry_after_s: float | None) -> None:
    """Count a transient failure; leave the other side alone when there were many, or when it asks for it."""
    now = datetime.now(UTC)
    Outlet.objects.filter(pk=outlet_id).update(failures=F("failures") + 1, last_failure=now, last_fault=fault)
    failures = Outlet.objects.values_list("failures", flat=True).get(pk=outlet_id)
    pause = max(_pause(failures), min(retry_after_s or 0.0, PAUSE_S[1]))
    closed_until = now + timedelta(seconds=pause) if pause else None
    Outlet.objects.filter(pk=outlet_id).update(closed_until=closed_until)


def _pause(failures: int) -> float:
    if failures < FAILURES:
        return 0.0
    longest = min(PAUSE_S[0] * 2.0 ** min(failures - FAILURES, 10), PAUSE_S[1])
    return longest * random.uniform(0.8, 1)  # noqa: S311 - jitter, no secret


def forget() -> None:
    """Look everything up again."""
    with _lock:
        _ready.clear()
