"""What nobody tries any more is ended, and what has ended long ago is removed; in small steps."""

import time
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import Q

from events.hubs.bounds import bound
from notifications.delivery import endings, metrics
from notifications.delivery.staleness import EXPIRED
from notifications.models import Delivery, Notification
from notifications.models.deliveries import State

BATCH = 200
EVERY_S = 5.0
KEPT = {State.SENT: timedelta(days=7), State.CANCELLED: timedelta(days=7), State.DEAD: timedelta(days=30)}

_last = [float("-inf")]  # monotonic seconds


def sweep() -> None:
    """End and remove what is due for it, unless this process has just done so."""
    if time.monotonic() - _last[0] < EVERY_S:
        return
    _last[0] = time.monotonic()
    while end_outlived() == BATCH:
        pass
    while remove_old() == BATCH:
        pass


def end_outlived(now: datetime | None = None) -> int:
    """End what waits beyond its time, because its outlet was closed or switched off; return how many.

    What somebody is sending is left alone until the lease is over.

    What expired is cancelled. What merely had no try left in its day is dead, and staff may retry it.
    """
    now = now or datetime.now(UTC)
    with transaction.atomic(durable=True):
        bound()
        late = Delivery.objects.filter(finished=None, until__lte=now)
        late = late.exclude(state=State.SENDING, due_at__gt=now)
        rows = list(late.select_for_update(skip_locked=True, no_key=True).order_by("until")[:BATCH])
        alive = Q(expires=None) | Q(expires__gt=now)
        known = set(
            Notification.objects.filter(alive, uid__in=[row.notification_id for row in rows], gone="")
            .values_list("uid", flat=True)
        )  # fmt: skip
        for row in rows:
            if row.notification_id in known:
                endings.outlive(row, now)
            else:
                endings.cancel(row, EXPIRED, now)
        Delivery.objects.bulk_update(rows, ["state", "reason", "error", "first_error", "detail", "finished"])
    for row in rows:
        metrics.ended(row)
    return len(rows)


def remove_old(now: datetime | None = None) -> int:
    """Remove what ended long ago; return how many rows."""
    now = now or datetime.now(UTC)
    found: list[int] = []
    for state, kept in KEPT.items():
        old = Delivery.objects.filter(state=state, finished__lte=now - kept).order_by("finished")
        found += old.values_list("id", flat=True)[: BATCH - len(found)]
    if found:
        Delivery.objects.filter(id__in=found).delete()
    return len(found)
