"""The console's pulse: a few numbers with their age, computed once a second at most."""

import threading
import time
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.db.models import Sum
from django.http import HttpRequest, JsonResponse

from events.hubs.progress import lags
from events.lanes import Lane
from events.models import Checkpoint, DeadLetter, Partition
from notifications.models import FanOut
from players.models import Gateway, Player

CACHE_S = 1.0

_cache: tuple[float, dict[str, Any]] = (0.0, {})
_lock = threading.Lock()


def pulse(_request: HttpRequest) -> JsonResponse:
    """Return the pulse; the front page asks every two seconds."""
    return JsonResponse(measure())


def measure() -> dict[str, Any]:
    """Return the numbers, at most a second old."""
    global _cache  # noqa: PLW0603 - one value for the process
    with _lock:
        if _cache[0] < time.monotonic():
            _cache = (time.monotonic() + CACHE_S, _measure())
        return _cache[1]


def dashboard(_request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Give the front page its first numbers."""
    context["pulse"] = measure()
    return context


def environment(_request: HttpRequest) -> list[str]:
    """Name the way Clarion runs, and paint it."""
    return ["services", "danger"] if settings.CLARION_SERVICES else ["embedded", "info"]


def _measure() -> dict[str, Any]:
    now = datetime.now(UTC)
    lag = dict.fromkeys(Lane, 0.0)
    for each in lags():
        lag[Lane(each.lane)] = max(lag[Lane(each.lane)], each.oldest_s)
    totals = Player.objects.aggregate(notifications=Sum("number"), decisions=Sum("decisions"))
    return {
        "at": now.isoformat(),
        "events": Partition.objects.aggregate(total=Sum("head"))["total"] or 0,
        "processed": Checkpoint.objects.filter(hub="decisions").aggregate(total=Sum("processed"))["total"]
        or 0,
        "decisions": totals["decisions"] or 0,
        "notifications": totals["notifications"] or 0,
        "lag": {lane.label: round(seconds, 3) for lane, seconds in lag.items()},
        "sockets": Gateway.objects.filter(lease_until__gt=now).aggregate(total=Sum("sockets"))["total"] or 0,
        "dead_letters": DeadLetter.objects.filter(resolved=None).count(),
        "audiences": FanOut.objects.filter(finished=None).count(),
    }
