"""Decisions against the log, notifications against decisions, large audiences against both."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection

from events.lanes import Lane
from events.log.rows import event_pk
from events.models import Partition
from events.snapshots import snapshot
from events.verifying import rows
from notifications.hubs import DECISIONS
from notifications.retention.sweeps import decisions_complete_from

EVER = datetime(1970, 1, 1, tzinfo=UTC)
SPAN = 5_000
"""So many offsets are looked at in one snapshot."""

_IN = "event_id BETWEEN %s AND %s"
_TWICE = f"""
SELECT event_id, rule_id, player_key, count(*) FROM notifications_decision WHERE {_IN}
GROUP BY event_id, rule_id, player_key HAVING count(*) > 1
"""  # noqa: S608 - ours
_TWICE_BY_ID = f"""
SELECT event_id, rule_id, player_id, count(*) FROM notifications_decision WHERE {_IN} AND player_id IS NOT NULL
GROUP BY event_id, rule_id, player_id HAVING count(*) > 1 AND count(DISTINCT player_key) > 1
"""  # noqa: S608 - ours
_ODD = f"""
SELECT d.event_id, r.slug, d.player_key, d.outcome, d.notification_uid IS NOT NULL, e.id IS NOT NULL,
 e.lane, n.id IS NOT NULL, p.erased IS NOT NULL, p.key, n.player_id = d.player_id, n.event_id = d.event_id,
 n.rule_id = d.rule_id, c.position
FROM notifications_decision d
LEFT JOIN notifications_rule r ON r.id = d.rule_id
LEFT JOIN events_event e ON e.id = d.event_id AND e.game_id = d.game_id
LEFT JOIN notifications_notification n ON n.uid = d.notification_uid
LEFT JOIN players_player p ON p.id = d.player_id AND p.game_id = d.game_id
LEFT JOIN events_checkpoint c ON c.hub = %s AND c.partition_id = e.partition_id AND c.lane = e.lane
WHERE d.{_IN} AND (e.id IS NULL OR r.id IS NULL OR (d.outcome = 'sent') <> (d.notification_uid IS NOT NULL)
 OR (d.notification_uid IS NOT NULL AND n.id IS NULL AND p.erased IS NULL AND p.removed = 0)
 OR (n.id IS NOT NULL AND (n.player_id <> d.player_id OR n.event_id <> d.event_id OR n.rule_id <> d.rule_id))
 OR (d.player_id IS NOT NULL AND (p.id IS NULL OR p.key <> d.player_key))
 OR c.position IS NULL OR e."offset" > c.position)
ORDER BY d.event_id, d.id
"""  # noqa: S608 - ours
_UNDECIDED = f"""
SELECT n.event_id, n.uid, p.key FROM notifications_notification n
LEFT JOIN players_player p ON p.id = n.player_id
WHERE n.{_IN} AND n.created >= %s AND NOT EXISTS (SELECT 1 FROM notifications_decision d WHERE d.event_id = n.event_id
 AND d.rule_id = n.rule_id AND d.player_id = n.player_id AND d.notification_uid = n.uid)
ORDER BY n.event_id, n.id
"""  # noqa: S608 - ours
_FAN_OUTS = f"""
SELECT f.event_id, v.rule_id, f.total, f.cursor, f.stopped_at, f.finished IS NOT NULL, e.id IS NOT NULL,
 (SELECT count(*) FROM notifications_decision d WHERE d.event_id = f.event_id AND d.rule_id = v.rule_id
  AND d.player_id IS NOT NULL)
FROM notifications_fanout f LEFT JOIN notifications_rulerevision v ON v.id = f.revision_id
LEFT JOIN events_event e ON e.id = f.event_id WHERE f.{_IN} AND f.created >= %s ORDER BY f.event_id, f.id
"""  # noqa: S608 - ours


def decisions(partition_id: int) -> Iterator[str]:
    """Yield what is wrong with what was decided about the events of a partition.

    Whatever names an event that is beyond the head, or before the first one, is looked at too.
    """
    partition = Partition.objects.get(id=partition_id)
    last, beyond = event_pk(partition_id, partition.head), event_pk(partition_id + 1, 0) - 1
    spans = [
        (begin, min(begin + SPAN - 1, last)) for begin in range(event_pk(partition_id, 0), last + 1, SPAN)
    ]
    for span in (*spans, (last + 1, beyond)):
        for finding in _within(span, partition.game_id):
            yield f"partition {partition}: {finding}"


def _within(span: tuple[int, int], game_id: int) -> Iterator[str]:
    with snapshot():
        kept = connection.ops.adapt_datetimefield_value(decisions_complete_from(game_id) or EVER)
        twice = [*rows(_TWICE, span), *rows(_TWICE_BY_ID, span)]
        odd = rows(_ODD, [DECISIONS.name, *span])
        alone = rows(_UNDECIDED, [*span, kept])
        fan_outs = rows(_FAN_OUTS, [*span, kept])
    for event, rule, player, count in twice:
        yield f"{_at(event)}: rule {rule} was decided {count} times about player {player!r}"
    for row in odd:
        yield from _odd(row)
    for event, uid, key in alone:
        yield f"{_at(event)}: player {key!r} has the notification {UUID(str(uid))}, which no decision made"
    for row in fan_outs:
        yield from _fan_out(row)


def _odd(row: Sequence[Any]) -> Iterator[str]:
    event, rule, key, outcome, has_uid, logged, lane, told, erased, real_key, *same, position = row
    name = f"{_at(event)}: the decision of rule {rule or '(gone)'} about player {key!r}"
    if not logged:
        yield f"{name} is about an event that is not in the log"
        return
    if (outcome == "sent") != bool(has_uid):
        yield f"{name} is {outcome} and {'names' if has_uid else 'does not name'} a notification"
    elif has_uid and not told and not erased:
        yield f"{name} is sent, and its notification is not there"
    elif told and not all(same):
        yield f"{name} names a notification of another player, event or rule"
    if real_key != key and real_key is not None:
        yield f"{name} is about a player whose id is {real_key!r}"
    offset = event & (event_pk(1, 0) - 1)
    if position is None or offset > position:
        yield f"{name} was made ahead of the {Lane(lane).label} checkpoint, which is at {position or 0}"


def _fan_out(row: Sequence[Any]) -> Iterator[str]:
    event, rule, total, cursor, stopped_at, finished, logged, decided = row
    name = f"{_at(event)}: the large audience of rule {rule}"
    end = total if stopped_at is None else min(total, stopped_at)
    if not logged:
        yield f"{name} is of an event that is not in the log"
    if cursor > total:
        yield f"{name} is at {cursor} of {total} players"
    if finished and cursor < end:
        yield f"{name} is finished at {cursor} of {end} players"
    if decided < cursor:
        yield f"{name} is at {cursor}, {decided} were decided about"


def _at(event: int) -> str:
    return f"event at offset {event & (event_pk(1, 0) - 1)}"
