"""What staff do to deliveries: send again what is dead, one or a whole group, and give up what waits."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce

from events import staff
from notifications.delivery import groups, hints, schedule
from notifications.delivery.groups import Group
from notifications.delivery.staleness import BY_STAFF
from notifications.models import Delivery, Notification
from notifications.models.deliveries import State

AT_ONCE = 500
"""Rows in one statement."""


@transaction.atomic
def retry(rows: Sequence[Delivery], by: str, reason: str) -> int:
    """Put dead deliveries back to the beginning of their schedule, with the same ids; return how many were dead."""
    found = _again(Delivery.objects.filter(id__in=[row.pk for row in rows], state=State.DEAD).order_by("id"))
    for row in found:
        staff.note(
            row.game_id, "delivery.retried", by, delivery=row.idempotency_id, error=row.error, reason=reason
        )
    return len(found)


@transaction.atomic
def retry_group(group: Group, by: str, reason: str) -> int:
    """Send a group of dead deliveries again, at most 10,000 of them, the oldest; return how many."""
    found = _again(groups.members(group)[: groups.MAX])
    _note(group, "deliveries.retried", by, len(found), reason)
    return len(found)


@transaction.atomic
def cancel(rows: Sequence[Delivery], by: str, reason: str) -> int:
    """Give up what waits or is dead; return how many. What somebody is just sending is left alone."""
    ids = [row.pk for row in rows]
    found = _cancelled(
        Delivery.objects.filter(id__in=ids, state__in=[State.WAITING, State.DEAD]).order_by("id")
    )
    for row in found:
        staff.note(row.game_id, "delivery.cancelled", by, delivery=row.idempotency_id, reason=reason)
    return len(found)


@transaction.atomic
def cancel_group(group: Group, by: str, reason: str) -> int:
    """Give up a group that waits or is dead, at most 10,000 of it, the oldest; return how many."""
    found = _cancelled(groups.members(group)[: groups.MAX])
    _note(group, "deliveries.cancelled", by, len(found), reason)
    return len(found)


def _note(group: Group, what: str, by: str, count: int, reason: str) -> None:
    if count:
        facts = {"channel": group.channel, "state": str(group.state), "error": group.error, "count": count}
        staff.note(group.game_id, what, by, **facts, reason=reason)


def _again(dead: "QuerySet[Delivery]") -> list[Delivery]:
    """Take them by index and lock them; then one statement for many, however each of them expires."""
    rows = _locked(dead)
    now = datetime.now(UTC)
    longest = schedule.until(now, None)
    sooner = Notification.objects.filter(uid=OuterRef("notification_id"), expires__lt=longest)
    for some in _parts(rows):
        some.update(
            state=State.WAITING,
            finished=None,
            step=0,
            due_at=now,
            until=Coalesce(Subquery(sooner.values("expires")[:1]), longest),
        )
    transaction.on_commit(hints.hint)
    return rows


def _cancelled(open_: "QuerySet[Delivery]") -> list[Delivery]:
    rows = _locked(open_)
    for some in _parts(rows):
        some.update(state=State.CANCELLED, reason=BY_STAFF, finished=datetime.now(UTC))
    return rows


def _locked(rows: "QuerySet[Delivery]") -> list[Delivery]:
    wanted = rows.only("notification_id", "game_id", "channel", "state", "error")
    return list(wanted.select_for_update(no_key=True))


def _parts(rows: Sequence[Delivery]) -> "list[QuerySet[Delivery]]":
    ids = [row.pk for row in rows]
    starts = range(0, len(ids), AT_ONCE)
    return [Delivery.objects.filter(id__in=ids[start : start + AT_ONCE]) for start in starts]
