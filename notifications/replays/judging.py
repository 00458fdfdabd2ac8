"""Deciding without writing: by the same engine, about the same players, as live would."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from events.log.logged import LoggedEvent
from notifications.decisions.projection import NO_STATE, Matter
from notifications.decisions.views import player_views
from notifications.engine import CompiledRule, Decision, Missed, PlayerView, Reached, decide
from players.known import known_ids


def is_readable(event: LoggedEvent) -> bool:
    """Tell whether an event's payload is still there, if it ever had one."""
    return event.data is not None or event.data_encoding == ""


def views_of(game_id: int, matters: Sequence[Matter]) -> dict[str, PlayerView]:
    """Return the players whom these rules address, by key; who is not known yet is as a new one would be."""
    keys = {key for matter in matters for _, found in matter.found for key in found.players}
    ids = known_ids(game_id, keys)
    known = player_views(ids.values())
    return {key: known[ids[key]] if key in ids else PlayerView(key=key) for key in keys}


def judged(
    rule: CompiledRule,
    matter: Matter,
    found: Reached | Missed,
    views: dict[str, PlayerView],
    now: datetime,
) -> Iterator[Decision]:
    """Yield what would be stored about one rule and one event."""
    if found.record is not None:
        yield found.record
    for key in found.players:
        yield decide(rule, matter.view, views[key], NO_STATE, now, reached=found)
