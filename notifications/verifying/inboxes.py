"""Players' counters against their rows: numbers, sequences, unread, decisions."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from events.log.appending import OWN_SOURCE
from events.snapshots import snapshot
from events.verifying import rows
from notifications.hubs import DECISIONS
from players.verifying import ranges

_COUNTED = """
SELECT p.key, p.head, p.number, p.unread, p.decisions, p.erased IS NOT NULL, p.erased IS NOT NULL AND EXISTS (
  SELECT 1 FROM events_event e
  JOIN events_checkpoint c ON c.hub = %s AND c.partition_id = e.partition_id AND c.lane = e.lane
  WHERE e.game_id = p.game_id AND e.source = %s AND e.event_id = 'erase:' || p.id AND e."offset" <= c.position
  AND NOT EXISTS (SELECT 1 FROM events_deadletter l WHERE l.hub = c.hub AND l.partition_id = c.partition_id
   AND l.lane = c.lane AND l.stream = e.stream AND l.resolved IS NULL)),
 p.removed, p.decisions_removed,
 coalesce(n.count, 0), coalesce(n.different, 0), coalesce(n.last, 0), coalesce(n.newest, 0), coalesce(n.unread, 0),
 coalesce(n.foreign_rows, 0), coalesce(d.count, 0), coalesce(d.different, 0), coalesce(d.last, 0), coalesce(r.newest, 0)
FROM players_player p
LEFT JOIN (
 SELECT n.player_id, count(*) AS count, count(DISTINCT n.number) AS different, max(n.number) AS last,
  max(n.seq) AS newest, count(CASE WHEN n.game_id <> q.game_id THEN 1 END) AS foreign_rows,
  count(CASE WHEN n.notification_class = 'inbox' AND n.gone = '' AND n.read IS NULL AND n.archived IS NULL
   AND n.number > q.read_through THEN 1 END) AS unread
 FROM notifications_notification n JOIN players_player q ON q.id = n.player_id
 WHERE n.player_id BETWEEN %s AND %s AND q.game_id = %s GROUP BY n.player_id) n ON n.player_id = p.id
LEFT JOIN (
 SELECT player_id, count(*) AS count, count(DISTINCT place) AS different, max(place) AS last
 FROM notifications_decision WHERE player_id BETWEEN %s AND %s GROUP BY player_id) d ON d.player_id = p.id
LEFT JOIN (
 SELECT player_id, max(seq) AS newest FROM notifications_announcementread
 WHERE player_id BETWEEN %s AND %s GROUP BY player_id) r ON r.player_id = p.id
WHERE p.game_id = %s AND p.id BETWEEN %s AND %s ORDER BY p.id
"""
_TWICE = """
SELECT p.key, s.seq, count(*) FROM (
 SELECT player_id, seq FROM notifications_notification WHERE player_id BETWEEN %s AND %s
 UNION ALL SELECT player_id, seq FROM notifications_announcementread WHERE player_id BETWEEN %s AND %s
 UNION ALL SELECT id, seen_seq FROM players_player WHERE id BETWEEN %s AND %s AND seen_seq > 0
 UNION ALL SELECT id, read_seq FROM players_player WHERE id BETWEEN %s AND %s AND read_seq > 0 AND read_seq <> seen_seq
) s JOIN players_player p ON p.id = s.player_id WHERE p.game_id = %s
GROUP BY p.id, p.key, s.seq HAVING count(*) > 1 ORDER BY p.id, s.seq
"""


class _Counted(NamedTuple):
    key: str
    head: int
    number: int
    unread: int
    decisions: int
    erased: bool
    forgotten: bool  # the hub has been at the erasure, and has removed what they had
    removed: int  # by retention
    decisions_removed: int  # by retention
    had: int
    numbers: int  # different ones
    last_number: int
    newest: int  # sequence of a notification
    unread_rows: int
    foreign: int
    decided: int
    places: int  # different ones
    last_place: int
    newest_read: int  # sequence of an announcement's read


def inboxes(game_id: int) -> Iterator[str]:
    """Yield what is wrong with the inboxes of a game, a range of players at a time."""
    for first, last in ranges(game_id):
        span = (first, last)
        with snapshot():
            counted = rows(
                _COUNTED, [DECISIONS.name, OWN_SOURCE, *span, game_id, *span, *span, game_id, *span]
            )
            twice = rows(_TWICE, [*span * 4, game_id])
        for row in counted:
            yield from _player(_Counted(*row))
        for key, seq, count in twice:
            yield f"player {key}: sequence {seq} is used {count} times"


def _player(row: _Counted) -> Iterator[str]:
    findings = [*_numbers(row), *_sequences(row), *_decisions(row)]
    if row.unread != row.unread_rows:
        findings.append(f"unread is {row.unread}, counted are {row.unread_rows}")
    if row.foreign:
        findings.append(f"{row.foreign} notifications are of another game")
    yield from (f"player {row.key}: {finding}" for finding in findings)


def _numbers(row: _Counted) -> Iterator[str]:
    if row.erased:
        if row.forgotten and row.had:
            yield f"was erased, and has {row.had} notifications"
        return
    if row.numbers != row.had:
        yield f"{row.had} notifications share {row.numbers} numbers"
    if row.last_number > row.number:
        yield f"number is {row.number}, there is a notification with {row.last_number}"
    elif row.had + row.removed != row.number:
        gone = f", and retention has removed {row.removed}" if row.removed else ""
        yield f"number is {row.number}, there are {row.had} notifications{gone}"


def _sequences(row: _Counted) -> Iterator[str]:
    newest = max(row.newest, row.newest_read)
    if newest > row.head:
        yield f"head is {row.head}, there is a change with sequence {newest}"


def _decisions(row: _Counted) -> Iterator[str]:
    if row.decided != row.places:
        yield f"{row.decided} decisions share {row.places} places"
    if row.decided + row.decisions_removed != row.decisions or row.last_place > row.decisions:
        gone = f", retention has removed {row.decisions_removed}" if row.decisions_removed else ""
        yield f"decisions is {row.decisions}, there are {row.decided}{gone}, the last place is {row.last_place}"


def spans(first: int, last: int, size: int) -> Sequence[tuple[Any, Any]]:
    """Cut a range of ids into ranges of at most ``size``."""
    return [(begin, min(begin + size - 1, last)) for begin in range(first, last + 1, size)]
