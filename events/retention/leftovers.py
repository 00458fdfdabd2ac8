"""What has a fixed age, the same in every game: rows that only mattered for a while."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import Error
from django.db.models import QuerySet

from events.faults import is_transient
from events.models import DeadLetter, IdempotencyKey, OutboxEvent

BATCH = 100

Leftover = Callable[[datetime], "QuerySet[Any]"]
"""Takes the time and returns the rows that are too old, by an index, the oldest first."""

log = structlog.get_logger(__name__)
_leftovers: dict[str, Leftover] = {}


def register_leftover(name: str, leftover: Leftover) -> None:
    """Add a table whose old rows go; rooms register theirs when their app is ready."""
    _leftovers[name] = leftover


def sweep_for(seconds: float) -> int:
    """Remove old rows for about so long, 100 at a time; return how many went."""
    end, count = time.monotonic() + seconds, 0
    try:
        for rows in _leftovers.values():
            while time.monotonic() < end and (gone := _remove(rows(datetime.now(UTC)))):
                count += gone
    except Error as error:
        if not is_transient(error):
            raise
        log.warning("leftovers.transient", error=type(error).__name__)
    return count


def _remove(rows: "QuerySet[Any]") -> int:
    pks = list(rows.values_list("pk", flat=True)[:BATCH])
    if pks:
        rows.model._default_manager.filter(pk__in=pks).delete()
    return len(pks)


def _appended(now: datetime) -> "QuerySet[OutboxEvent]":
    """Their events are in the log; the log itself refuses a second one of the same id."""
    return OutboxEvent.objects.filter(appended__lt=now - timedelta(days=30)).order_by("appended")


def _answered(now: datetime) -> "QuerySet[IdempotencyKey]":
    return IdempotencyKey.objects.filter(created__lt=now - timedelta(hours=25)).order_by("created")


def _resolved(now: datetime) -> "QuerySet[DeadLetter]":
    """Take them by age: what was skipped stays on record without its letter."""
    return DeadLetter.objects.filter(resolved__lt=now - timedelta(days=90)).order_by("resolved")


register_leftover("appended outbox rows", _appended)
register_leftover("answered idempotency keys", _answered)
register_leftover("resolved dead letters", _resolved)
