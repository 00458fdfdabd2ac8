"""How many events of each API key are repeats: counted in the process, kept by the minute.

A request costs two additions. A process that dies takes its last seconds of counts along,
which is nothing to an alarm.
"""

import threading
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F, Sum

from events.log.entries import Appended, Duplicate
from events.models import ApiKey, ProducerMinute

KEEP = timedelta(hours=24)

_counts: dict[tuple[int, datetime], list[int]] = defaultdict(lambda: [0, 0])
_lock = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """What came of the events of one key."""

    api_key: ApiKey
    appended: int
    duplicates: int

    @property
    def percent(self) -> float:
        """How many of a hundred were repeats."""
        return 100.0 * self.duplicates / (self.appended + self.duplicates)


def count(api_key_id: int, outcomes: Iterable[object], now: datetime | None = None) -> None:
    """Count what came of a request's events; for the event loop, without a query."""
    appended = duplicates = 0
    for outcome in outcomes:
        appended += isinstance(outcome, Appended)
        duplicates += isinstance(outcome, Duplicate)
    if appended or duplicates:
        minute = (now or datetime.now(UTC)).replace(second=0, microsecond=0)
        with _lock:
            counted = _counts[api_key_id, minute]
            counted[0] += appended
            counted[1] += duplicates


def flush() -> int:
    """Add what this process has counted to the rows of its minutes; return how many rows.

    Raises:
        django.db.Error: the counts stay in the process, for the next flush.
    """
    with _lock:
        taken = dict(_counts)
        _counts.clear()
    if not taken:
        return 0  # no transaction for nothing: on SQLite it would wait for its turn to write
    try:
        with transaction.atomic():
            _add(taken)
    except BaseException:
        _put_back(taken)
        raise
    return len(taken)


def ratios(since: datetime, least: int) -> list[Ratio]:
    """Return each key that sent at least so many events since then."""
    found = (
        ProducerMinute.objects.filter(minute__gte=since)
        .values("api_key")
        .annotate(new=Sum("appended"), repeats=Sum("duplicates"))
        .filter(repeats__gt=0)
    )
    rows = {row["api_key"]: row for row in found if row["new"] + row["repeats"] >= least}
    keys = ApiKey.objects.filter(pk__in=list(rows)).order_by("pk") if rows else []
    return [
        Ratio(api_key=key, appended=rows[key.pk]["new"], duplicates=rows[key.pk]["repeats"]) for key in keys
    ]


def forget_old(now: datetime) -> None:
    """Let go what is older than a day."""
    ProducerMinute.objects.filter(minute__lt=now - KEEP).delete()


def forget() -> None:
    """Count anew; for tests."""
    with _lock:
        _counts.clear()


def _add(taken: dict[tuple[int, datetime], list[int]]) -> None:
    """Add in the order of the rows' keys, as every process does."""
    known = set(ApiKey.objects.filter(pk__in={key for key, _ in taken}).values_list("pk", flat=True))
    for (key, minute), (appended, duplicates) in sorted(taken.items()):
        if key not in known:  # deleted meanwhile, with its game
            continue
        rows = ProducerMinute.objects.filter(api_key_id=key, minute=minute)
        more = {"appended": F("appended") + appended, "duplicates": F("duplicates") + duplicates}
        if not rows.update(**more):
            ProducerMinute.objects.bulk_create(
                [ProducerMinute(api_key_id=key, minute=minute)], ignore_conflicts=True
            )
            rows.update(**more)


def _put_back(taken: dict[tuple[int, datetime], list[int]]) -> None:
    with _lock:
        for key, (appended, duplicates) in taken.items():
            _counts[key][0] += appended
            _counts[key][1] += duplicates
