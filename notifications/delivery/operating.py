"""What staff do to deliveries: retry what is dead, one or all alike, and cancel what waits."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import QuerySet

from events import staff
from notifications.delivery import hints, schedule
from notifications.delivery.staleness import BY_STAFF
from notifications.models import Delivery, Notification
from notifications.models.deliveries import State

ALIKE_MAX = 10_000
"""So many are retried at once; the page says how many are left."""


@transaction.atomic
def retry(rows: Sequence[Delivery], by: str, reason: str) -> int:
    """Put dead deliveries back to the beginning of their schedule, with the same ids; return how many were dead."""
    dead = Delivery.objects.filter(id__in=[row.pk for row in rows], state=State.DEAD).order_by("id")
    found = _again(dead)
    for row in found:
        staff.note(
            row.game_id, "delivery.retried", by, delivery=row.idempotency_id, error=row.error, reason=reason
        )
    return len(found)


def alike(row: Delivery) -> "QuerySet[Delivery]":
    """Return the dead deliveries of the same game and channel that ended with the same error."""
    return Delivery.objects.filter(
        game_id=row.game_id, channel=row.channel, error=row.error, state=State.DEAD
    )


@transaction.atomic
def retry_alike(row: Delivery, by: str, reason: str) -> int:
    """Retry all dead deliveries that are alike, at most 10,000; return how many."""
    found = _again(alike(row).order_by("id")[:ALIKE_MAX])
    if found:
        facts = {"channel": row.channel, "error": row.error, "count": len(found), "reason": reason}
        staff.note(row.game_id, "deliveries.retried", by, **facts)
    return len(found)


@transaction.atomic
def cancel(rows: Sequence[Delivery], by: str, reason: str) -> int:
    """Cancel what waits or is dead; return how many. What somebody is just sending is left alone."""
    ids = [row.pk for row in rows]
    open_ = Delivery.objects.filter(id__in=ids, state__in=[State.WAITING, State.DEAD]).order_by("id")
    found = list(open_.select_for_update(no_key=True))
    now = datetime.now(UTC)
    Delivery.objects.filter(id__in=[row.pk for row in found]).update(
        state=State.CANCELLED, reason=BY_STAFF, finished=now
    )
    for row in found:
        staff.note(row.game_id, "delivery.cancelled", by, delivery=row.idempotency_id, reason=reason)
    return len(found)


def _again(dead: "QuerySet[Delivery]") -> list[Delivery]:
    rows = list(dead.select_for_update(no_key=True))
    now = datetime.now(UTC)
    uids = [row.notification_id for row in rows]
    expires = dict(Notification.objects.filter(uid__in=uids).values_list("uid", "expires"))
    for row in rows:
        row.state, row.finished, row.step, row.due_at = State.WAITING, None, 0, now
        row.until = schedule.until(now, expires.get(row.notification_id))
    Delivery.objects.bulk_update(rows, ["state", "finished", "step", "due_at", "until"], batch_size=500)
    transaction.on_commit(hints.hint)
    return rows
