"""What each hub has still to do in some games: one statement, whatever waits."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from events.hubs.progress import age_of, lag_in_events, oldest
from events.hubs.registry import hubs
from events.lanes import Lane
from events.limits import Backlog


def backlogs_of(game_ids: Sequence[int]) -> dict[int, list[Backlog]]:
    """Return by game the backlog of each hub that is registered.

    Paused checkpoints do not count: staff have chosen that. Nor do those that still catch up
    with what was in the log before their hub was: its history says nothing about overload.
    """
    names = [hub.name for hub in hubs()]
    if not game_ids or not names:
        return {}
    found: dict[tuple[int, str], list[tuple[int, float, int]]] = defaultdict(
        lambda: [(0, 0.0, 0)] * len(Lane)
    )
    for game_id, hub, lane, events, recorded, passed in _rows(game_ids, names):
        found[game_id, hub][lane] = (int(events or 0), age_of(recorded), int(passed))
    by_game: dict[int, list[Backlog]] = defaultdict(list)
    for (game_id, hub), (urgent, normal, bulk) in sorted(found.items()):
        by_game[game_id].append(
            Backlog(
                hub=hub,
                events=(urgent[0], normal[0], bulk[0]),
                oldest_s=(urgent[1], normal[1], bulk[1]),
                passed=(urgent[2], normal[2], bulk[2]),
            )
        )
    return dict(by_game)


Measured = tuple[int, str, int, int | None, datetime | str | None, int]
"""Game, hub, lane, events that wait, when the oldest was recorded, events passed in all."""


def _rows(game_ids: Sequence[int], names: Sequence[str]) -> Sequence[Measured]:
    games, hubs_ = ", ".join(["%s"] * len(game_ids)), ", ".join(["%s"] * len(names))
    counts = "NOT c.paused AND c.position >= c.joined"
    parts = [
        f"SELECT p.game_id, c.hub, {lane:d}, sum(CASE WHEN {counts} THEN {lag_in_events(lane)} ELSE 0 END),"  # noqa: S608 - our columns
        f" min(CASE WHEN {counts} THEN {oldest(lane)} END), sum(c.passed)"
        " FROM events_checkpoint c JOIN events_partition p ON p.id = c.partition_id"
        f" WHERE c.lane = {lane:d} AND p.game_id IN ({games}) AND c.hub IN ({hubs_}) GROUP BY p.game_id, c.hub"
        for lane in Lane
    ]
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), [*game_ids, *names] * len(parts))
        rows: Sequence[Measured] = cursor.fetchall()
    return rows
