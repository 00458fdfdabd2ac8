"""Committing what came of a try."""

import random
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from django.db import transaction

from events.hubs.bounds import bound
from notifications.delivery import metrics, outlets, schedule
from notifications.delivery.channel import Undelivered
from notifications.delivery.claim import Claimed
from notifications.delivery.staleness import EXPIRED
from notifications.models import Delivery
from notifications.models.deliveries import DETAIL_MAX, ERROR_MAX, State

ENDED = (State.SENT, State.DEAD, State.CANCELLED)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came of a try."""

    claimed: Claimed
    took_ms: int
    fault: Undelivered | None = None  # None: delivered, or expired
    expired: bool = False  # it was too late before the try began


def settle(outcome: Outcome, now: datetime) -> State | None:
    """Commit an outcome; return what the row is now, None when it was no longer this try's to say.

    That it was delivered is true whoever has the row by now; a failure only counts for the
    try that the row is waiting for.
    """
    claimed = outcome.claimed
    with transaction.atomic(durable=True):
        bound()
        row = Delivery.objects.select_for_update(no_key=True).filter(pk=claimed.delivery_id).first()
        if row is None or not _ours(row, outcome):
            return None
        _decide(row, outcome, now)
        _remember(row, outcome)
        row.save()
    _tell(row, outcome, now)
    return State(row.state)


def _ours(row: Delivery, outcome: Outcome) -> bool:
    if outcome.fault is None and not outcome.expired:
        return row.state != State.SENT
    return row.state == State.SENDING and row.tries == outcome.claimed.tries


def _decide(row: Delivery, outcome: Outcome, now: datetime) -> None:
    fault = outcome.fault
    if outcome.expired:
        row.state, row.reason = State.CANCELLED, EXPIRED
    elif fault is None:
        row.state, row.reason = State.SENT, ""
    else:
        row.error, row.detail = fault.error[:ERROR_MAX], str(fault)[:DETAIL_MAX]
        row.first_error = row.first_error or row.error
        row.step += 1
        _after_fault(row, fault, now, outcome.claimed.letter.expires)
    if row.state in ENDED:
        row.finished = now


def _after_fault(row: Delivery, fault: Undelivered, now: datetime, expires: datetime | None) -> None:
    dice = random.random()  # noqa: S311 - jitter, no secret
    again = None if fault.permanent else schedule.next_try(row.step, now, fault.retry_after_s, dice)
    if again is not None and again < row.until:
        row.state, row.due_at = State.WAITING, again
    elif again is not None and expires is not None and again >= expires:
        row.state, row.reason = State.CANCELLED, EXPIRED
    else:
        row.state = State.DEAD


def _remember(row: Delivery, outcome: Outcome) -> None:
    """Complete this try's entry of the history."""
    fault = outcome.fault
    ended = "expired" if outcome.expired else fault.error if fault else "delivered"
    told: dict[str, Any] = {"ended": ended, "ms": outcome.took_ms}
    if fault:
        told |= {
            "detail": str(fault)[:DETAIL_MAX],
            "permanent": fault.permanent,
            "wait_s": fault.retry_after_s,
        }
    row.history = [{**each, **told} if each["n"] == outcome.claimed.tries else each for each in row.history]


def _tell(row: Delivery, outcome: Outcome, now: datetime) -> None:
    """Count it, and let the outlet know how its other side is doing."""
    claimed, fault = outcome.claimed, outcome.fault
    metrics.tried(row, outcome.took_ms / 1000, (now - claimed.queued).total_seconds())
    if fault is None:
        if not outcome.expired:
            outlets.succeeded(claimed.outlet_id)
        return
    log.info("delivery.failed", delivery=row.pk, channel=row.channel, error=row.error, state=row.state)
    if fault.permanent:
        outlets.refused(claimed.outlet_id, row.detail)
    else:
        outlets.failed(claimed.outlet_id, row.detail, fault.retry_after_s)
