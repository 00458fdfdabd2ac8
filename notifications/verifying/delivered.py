"""Deliveries by other channels: one row for each notification and channel, each in a state that can be."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from events.snapshots import snapshot
from events.verifying import rows
from notifications.models.deliveries import OPEN, State

PAGE = 1_000

_PAGE = """
SELECT d.id, d.notification_id, d.channel, d.finished IS NOT NULL, d.tries, n.game_id,
 (SELECT count(*) FROM notifications_delivery o WHERE o.notification_id = d.notification_id AND o.channel = d.channel)
FROM notifications_delivery d LEFT JOIN notifications_notification n ON n.uid = d.notification_id
WHERE d.game_id = %s AND d.state = %s AND d.id > %s ORDER BY d.id LIMIT %s
"""


def deliveries(game_id: int) -> Iterator[str]:
    """Yield what is wrong with the deliveries of a game; a notification that is gone since is no contradiction."""
    told: set[tuple[Any, str]] = set()
    for state in State:
        for row in _rows(game_id, state):
            yield from _delivery(game_id, state, row, told)


def _rows(game_id: int, state: State) -> Iterator[Sequence[Any]]:
    after = 0
    while True:
        with snapshot():
            page = rows(_PAGE, [game_id, state, after, PAGE])
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1][0]


def _delivery(game_id: int, state: State, row: Sequence[Any], told: set[tuple[Any, str]]) -> Iterator[str]:
    _, uid, channel, finished, tries, owner, count = row
    name = f"delivery of notification {UUID(str(uid))} by {channel}"
    if count > 1 and (uid, channel) not in told:
        told.add((uid, channel))
        yield f"{name}: there are {count} rows"
    if owner is not None and owner != game_id:
        yield f"{name}: the notification is of another game"
    if finished == (state in OPEN):
        yield f"{name}: it is {state} and has {'ended' if finished else 'not ended'}"
    if state in {State.SENDING, State.SENT} and not tries:
        yield f"{name}: it is {state}, and nobody has tried it"
