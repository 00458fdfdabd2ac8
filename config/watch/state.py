"""Alarms open when their condition has held for a while, and end when it has been gone for a while."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

import structlog

from config.watch.conditions import Condition
from config.watch.kinds import Kind
from events.models import Alarm

OPEN_MAX = 50
"""So many alarms of one kind are told apart; a fault that has thousands of keys is one fault."""
KEEP = timedelta(days=90)

log = structlog.get_logger(__name__)


def settle(
    kinds: Mapping[str, Kind], looked: Collection[str], found: Iterable[Condition], now: datetime
) -> None:
    """Bring the alarms in line with what a look has found.

    Args:
        kinds: as they are in force.
        looked: the kinds that were looked at; alarms of others stay as they are.
        found: the conditions that hold.
        now: the time of the look.
    """
    conditions = _at_most(found)
    rows = {(row.kind, row.key): row for row in Alarm.objects.filter(ended=None)}
    missing = [_new(kinds[each.kind], each, now) for key, each in conditions.items() if key not in rows]
    if missing:
        Alarm.objects.bulk_create(missing, ignore_conflicts=True)
    for key, row in rows.items():
        if (condition := conditions.get(key)) is not None:
            _seen(row, kinds[row.kind], condition, now)
        elif row.kind in looked or row.kind not in kinds:
            _unseen(row, kinds.get(row.kind), now)


def forget_old(now: datetime) -> None:
    """Let the history go after 90 days."""
    Alarm.objects.filter(ended__lt=now - KEEP).delete()


def _at_most(found: Iterable[Condition]) -> dict[tuple[str, str], Condition]:
    kept: dict[tuple[str, str], Condition] = {}
    counts: dict[str, int] = {}
    for condition in found:
        counts[condition.kind] = counts.get(condition.kind, 0) + 1
        if counts[condition.kind] <= OPEN_MAX:
            kept[condition.kind, condition.key] = condition
    return kept


def _new(kind: Kind, condition: Condition, now: datetime) -> Alarm:
    alarm = Alarm(
        kind=kind.name,
        key=condition.key,
        game_id=condition.game_id,
        severity=kind.severity,
        since=min(now, condition.since or now),
        noticed=now,
        worst=condition.value,
    )
    _update(alarm, kind, condition, now)
    return alarm


def _seen(row: Alarm, kind: Kind, condition: Condition, now: datetime) -> None:
    _update(row, kind, condition, now)
    row.save(
        update_fields=["severity", "value", "worst", "limit", "text", "url", "last_seen", "opened", "since"]
    )


def _update(row: Alarm, kind: Kind, condition: Condition, now: datetime) -> None:
    row.severity = kind.severity
    row.value, row.limit = condition.value, condition.limit
    if kind.holds_for_limit:
        row.value = (now - row.noticed).total_seconds()
    row.worst = (min if kind.name == "disk" else max)(row.worst, row.value)
    row.text, row.url, row.last_seen = condition.text[:500], condition.url[:500], now
    if condition.since and condition.since < row.since:
        row.since = condition.since
    if row.opened is None and now - row.noticed >= timedelta(seconds=kind.must_hold_s):
        row.opened = now
        log.warning("alarm.opened", kind=row.kind, about=row.key, value=row.value, limit=row.limit)


def _unseen(row: Alarm, kind: Kind | None, now: datetime) -> None:
    """Drop a suspicion at once; end an alarm only when its condition has been gone for long enough."""
    if row.opened is None:
        Alarm.objects.filter(pk=row.pk, opened=None).delete()
    elif kind is None or not kind.enabled or now - row.last_seen >= timedelta(seconds=kind.clears_s):
        Alarm.objects.filter(pk=row.pk, ended=None).update(ended=now)
        log.info("alarm.ended", kind=row.kind, about=row.key)
