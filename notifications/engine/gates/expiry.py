"""The gate expiry: what comes too late is never shown."""

from datetime import UTC, datetime, timedelta
from typing import Any

from notifications.engine.gates.port import Case
from notifications.engine.outcomes import GateResult, NotificationClass, Outcome
from notifications.engine.texts import rfc3339
from notifications.engine.views import EventView

_END_OF_TIME = datetime.max.replace(tzinfo=UTC)


def expiry_of(event: EventView, ttl_s: int | None) -> datetime | None:
    """Return when a notification expires: the earlier of the event's own end and its time plus ``ttl_s``.

    The event's time counts only where it is not after the time of recording, so that a
    game's clock that runs ahead prolongs nothing.
    """
    ends = [] if event.expires is None else [event.expires]
    if ttl_s is not None:
        try:
            ends.append(event.happened + timedelta(seconds=ttl_s))
        except OverflowError:
            ends.append(_END_OF_TIME)
    return min(ends, default=None)


def judge(case: Case) -> GateResult:
    """Stop what has expired, and fail a live notification that never would."""
    values: dict[str, Any] = {"now": rfc3339(case.now), "expires": rfc3339(case.expires)}
    if case.expires is None:
        return _endless(case.class_, values)
    if case.now < case.expires:
        return GateResult(name="expiry", passed=True, values=values)
    return GateResult(
        name="expiry", passed=False, values=values, reason="expired", outcome=Outcome.SUPPRESSED
    )


def _endless(class_: NotificationClass, values: dict[str, Any]) -> GateResult:
    if class_ is not NotificationClass.LIVE:
        return GateResult(name="expiry", passed=True, values=values)
    return GateResult(
        name="expiry",
        passed=False,
        values=values | {"class": class_.value},
        reason="no_expiry",
        outcome=Outcome.FAILED,
        error="expiry: class live needs ttl_s in the rule or expirytime in the event",
    )
