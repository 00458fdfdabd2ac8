"""Which channels a game has set up, and how the other side of each is doing."""

import random
import threading
import time
from datetime import UTC, datetime, timedelta

from django.db.models import F

from notifications.delivery import registry
from notifications.models import Outlet

CACHE_S = 1.0
"""What staff switch takes effect here at once, in other processes within a second."""
FAILURES = 5
"""After so many transient failures in a row nothing is tried for a while."""
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
    """Note that the other side has answered; most times there is nothing to change."""
    Outlet.objects.filter(pk=outlet_id).exclude(failures=0, closed_until=None).update(
        failures=0, closed_until=None
    )


def failed(outlet_id: int, retry_after_s: float | None) -> None:
    """Count a transient failure; leave the other side alone when there were many, or when it asks for it."""
    Outlet.objects.filter(pk=outlet_id).update(failures=F("failures") + 1)
    failures = Outlet.objects.values_list("failures", flat=True).get(pk=outlet_id)
    pause = max(_pause(failures), min(retry_after_s or 0.0, PAUSE_S[1]))
    closed_until = datetime.now(UTC) + timedelta(seconds=pause) if pause else None
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
