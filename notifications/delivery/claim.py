"""Claiming what is due: in one short transaction for each outlet, which notes the tries.

The lock is on the outlet's row, so one process at a time claims from it and all of them
together keep to its share. What is claimed is leased: whoever is frozen or killed loses it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from events.hubs.bounds import bound
from notifications.delivery import endings, metrics, registry, schedule
from notifications.delivery.channel import Channel, Letter
from notifications.delivery.staleness import stale
from notifications.models import Delivery, Notification, Outlet
from notifications.models.deliveries import HISTORY_MAX, State

LEASE = timedelta(seconds=60)
LONGEST = timedelta(seconds=30)
"""A channel's try ends within so long; it must begin early enough to be over before the lease is."""
PER_OUTLET = 8
"""So many deliveries of one game by one channel are under way at once, in all processes together."""
COLUMNS = (
    "uid", "number", "notification_class", "category", "title", "body", "data", "actions", "created", "expires",
    "read", "archived", "claimed", "gone", "game__slug", "player__key", "player__erased", "player__blocked",
    "player__read_through",
)  # fmt: skip
NOTED = (
    "state", "reason", "finished", "due_at", "tries", "step", "first_error", "error", "detail", "history",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Claimed:
    """One try that is noted, and must be made now."""

    delivery_id: int
    tries: int  # this one included: whose try it is, if the lease was lost
    begin_by: datetime  # later it is not made: somebody else may have the row before it ends
    outlet_id: int
    channel: Channel
    route: Mapping[str, Any]
    letter: Letter
    queued: datetime


def claim(
    free: int, now: datetime, room: Callable[[int], int] = lambda _outlet_id: PER_OUTLET
) -> list[Claimed]:
    """Claim at most so many deliveries that are due, from the outlets in turn.

    None gets more than half of what is free, so that however many hang, the next one finds a
    place; nor more than ``room`` says.
    """
    taken: list[Claimed] = []
    for outlet_id in due_outlets(now) if free > 0 else ():
        half = (free - len(taken) + 1) // 2
        taken += _from(outlet_id, min(half, room(outlet_id)), now)
    return taken


def due(now: datetime) -> "QuerySet[Delivery]":
    """Return what is due: what waits for its time, and what somebody has had for longer than the lease."""
    return Delivery.objects.filter(finished=None, due_at__lte=now)


def due_outlets(now: datetime) -> list[int]:
    """Return the outlets that have something due and may be tried, the one that has waited longest first."""
    some = due(now).filter(game_id=OuterRef("game_id"), channel=OuterRef("channel"))
    rows = Outlet.objects.filter(Exists(some), enabled=True, channel__in=registry.names())
    rows = rows.filter(Q(closed_until=None) | Q(closed_until__lte=now))
    return list(rows.order_by("served", "id").values_list("id", flat=True))


def _from(outlet_id: int, free: int, now: datetime) -> list[Claimed]:
    if free <= 0:
        return []
    with transaction.atomic(durable=True):
        bound()
        outlet = _hold(outlet_id, now)
        channel = registry.find(outlet.channel) if outlet else None
        route = channel.route(outlet.game_id) if outlet and channel else None
        if outlet is None or channel is None or route is None:
            return []
        rows = _rows(outlet, free, now)
        probing = outlet.closed_until is not None and bool(rows)
        Outlet.objects.filter(pk=outlet.pk).update(
            served=now, closed_until=now + LEASE if probing else outlet.closed_until
        )
        letters = _note(rows, now)
    for row in rows:
        metrics.ended(row)
    return [
        Claimed(
            delivery_id=row.pk,
            tries=row.tries,
            begin_by=now + LEASE - LONGEST,
            outlet_id=outlet.pk,
            channel=channel,
            route=route,
            letter=letters[row.notification_id],
            queued=row.created,
        )
        for row in rows
        if row.state == State.SENDING
    ]


def _hold(outlet_id: int, now: datetime) -> Outlet | None:
    """Lock the row; None when somebody else has it, or when it was closed meanwhile."""
    rows = Outlet.objects.filter(Q(closed_until=None) | Q(closed_until__lte=now), pk=outlet_id, enabled=True)
    return rows.select_for_update(
        skip_locked=True, no_key=True
    ).first()  # on SQLite the transaction is the lock


def _rows(outlet: Outlet, free: int, now: datetime) -> list[Delivery]:
    """Lock what is due, the oldest first; one alone where the other side is only probed."""
    mine = Delivery.objects.filter(game_id=outlet.game_id, channel=outlet.channel)
    flying = mine.filter(state=State.SENDING, due_at__gt=now).count()
    room = min(free, PER_OUTLET - flying)
    if outlet.closed_until is not None:
        room = min(room, 1)
    if room <= 0:
        return []
    rows = mine.filter(finished=None, due_at__lte=now).order_by("due_at", "id")
    return list(rows.select_for_update(skip_locked=True, no_key=True)[:room])


def _note(rows: Sequence[Delivery], now: datetime) -> dict[UUID, Letter]:
    """Begin a try of each row, or end it where there is to be none; return the letters of the former."""
    found = Notification.objects.filter(uid__in=[row.notification_id for row in rows]).values(*COLUMNS)
    notifications = {each["uid"]: each for each in found}
    letters = {}
    for row in rows:
        told = notifications.get(row.notification_id)
        if row.state == State.SENDING:
            endings.interrupt(row)
        if reason := stale(told, now):
            endings.cancel(row, reason, now)
            continue
        if row.until <= now or row.step > len(schedule.DELAYS_S):
            endings.outlive(row, now)
            continue
        assert told is not None
        letters[row.notification_id] = _letter(row, told)
        row.state, row.due_at, row.tries = State.SENDING, now + LEASE, row.tries + 1
        row.history = [*row.history, {"n": row.tries, "at": now.isoformat()}][-HISTORY_MAX:]
    Delivery.objects.bulk_update(rows, NOTED)
    return letters


def _letter(row: Delivery, told: Mapping[str, Any]) -> Letter:
    return Letter(
        id=row.idempotency_id,
        uid=told["uid"],
        game=told["game__slug"],
        player=told["player__key"],
        number=told["number"],
        class_=told["notification_class"],
        category=told["category"],
        title=told["title"],
        body=told["body"],
        data=told["data"],
        actions=told["actions"],
        created=told["created"],
        expires=told["expires"],
    )
