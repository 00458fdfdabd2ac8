"""The console's pulse: a few numbers with their age, read once a second at most, whoever looks.

Every number costs a step in an index or a small table. Totals of decisions and
notifications are their newest keys: exact but for the gaps that a rollback leaves.
"""

import threading
import time
from datetime import UTC, datetime
from typing import Any

from django.db.models import Max, Model, Sum
from django.http import HttpRequest, JsonResponse

from config.console.weather import warnings
from events.hubs.ageing import LIMIT_S
from events.hubs.progress import lags
from events.lanes import Lane
from events.models import DeadLetter, OutboxEvent, Partition
from notifications.delivery import standing
from notifications.models import Decision, FanOut, Notification
from players.models import Gateway

CACHE_S = 1.0
POLL_MS = 2_000
"""How often the front page asks."""

_cache: tuple[float, dict[str, Any]] = (0.0, {})
_lock = threading.Lock()


def pulse(_request: HttpRequest) -> JsonResponse:
    """Return the pulse; the front page asks every two seconds while somebody looks at it."""
    response = JsonResponse(measure())
    response["Cache-Control"] = "no-store"
    return response


def measure() -> dict[str, Any]:
    """Return the numbers, at most a second old."""
    global _cache  # noqa: PLW0603 - one value for the process
    with _lock:
        if _cache[0] < time.monotonic():
            _cache = (time.monotonic() + CACHE_S, _measure())
        return _cache[1]


def forget() -> None:
    """Measure anew when next asked."""
    global _cache  # noqa: PLW0603 - one value for the process
    with _lock:
        _cache = (0.0, {})


def _measure() -> dict[str, Any]:
    now = datetime.now(UTC)
    lag = dict.fromkeys(Lane, 0.0)
    waiting, dead = standing.totals()
    for each in lags():
        lag[Lane(each.lane)] = max(lag[Lane(each.lane)], each.oldest_s)
    numbers = {
        "events": Partition.objects.aggregate(total=Sum("head"))["total"] or 0,
        "decisions": _newest(Decision),
        "pushes": _newest(Notification),
        "sockets": Gateway.objects.filter(lease_until__gt=now).aggregate(total=Sum("sockets"))["total"] or 0,
        "dead_letters": DeadLetter.objects.filter(resolved=None).count(),
        "audiences": FanOut.objects.filter(finished=None).count(),
        "outbox": OutboxEvent.objects.filter(appended=None).count(),
        "deliveries": waiting,
        "deliveries_dead": dead,
    }
    lanes = {
        lane.label: {"lag_s": round(seconds, 3), "limit_s": LIMIT_S[lane]} for lane, seconds in lag.items()
    }
    return {"at": now.isoformat(), **numbers, "lanes": lanes, "warnings": warnings(now, lag, numbers)}


def _newest(model: type[Model]) -> int:
    return model._default_manager.aggregate(newest=Max("pk"))["newest"] or 0
