"""Taking an erased player's data out of the log: a job of small steps that survives crashes.

Their own stream loses all its payloads. So do the events that rules have decided about for
them, where ``data.player_id`` is that player: other rooms say which those are.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
from django.db import connection, transaction
from django.db.models import F

from events.hubs.bounds import bound
from events.hubs.needs import needed
from events.hubs.steps import take_steps
from events.log.erasing import Cause, Place, erase_payloads, places, stream_walk
from events.log.logged import LoggedEvent
from events.log.read import many
from events.models.erasures import Why
from players.models import Player, PlayerErasure

BATCH = 100
LATER = timedelta(seconds=30)
"""When to look again at a payload that something still needs."""

Mentions = Callable[[int, int, int], Sequence[tuple[int, int]]]
"""Takes a player, a place and a limit; returns the next (place, event's id) that is about that player."""

_mentions: list[Mentions] = []


def register_mentions(mentions: Mentions) -> None:
    """Let a room to the left say in which events an erased player is mentioned. One room does."""
    _mentions[:] = [mentions]


def begin(player_id: int) -> None:
    """Note, in the transaction of the erasure, that the log is still to be freed of a player."""
    PlayerErasure.objects.get_or_create(player_id=player_id)


def go_on(player_ids: Iterable[int]) -> None:
    """Open the job again for players who were erased: the log has got something new about them."""
    if ids := set(player_ids):
        PlayerErasure.objects.filter(player_id__in=ids, finished__isnull=False).update(finished=None)


def work_for(seconds: float) -> bool:
    """Work for about so long; True when work is left. Beat calls it, and whoever drains lanes by age."""
    return take_steps("forgetting", step, seconds)


def step() -> bool:
    """Free the log of one player by up to 100 events; False when nothing is due, or somebody is at it."""
    with transaction.atomic(durable=True):
        bound()
        row = _next()
        if row is None:
            return False
        _work(row)
    return True


def _next() -> PlayerErasure | None:
    rows = PlayerErasure.objects.filter(finished=None, due__lte=datetime.now(UTC)).order_by("due")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, no_key=True)
    return rows.first()


def _work(row: PlayerErasure) -> None:
    player = Player.objects.get(pk=row.player_id)
    found = stream_walk(player.game_id, player.key, row.version, BATCH)
    if found:
        taken = _free(found)
        _advance(row, len(taken) < len(found), taken, version=taken[-1].version if taken else row.version)
        return
    mentions = list(_mentions[0](player.pk, row.place, BATCH)) if _mentions else []
    about = _about(player.key, [event for _, event in mentions])
    taken = _free(about)
    held = {place.id for place in about} - {place.id for place in taken}
    passed = _passed(mentions, held)
    if mentions:
        _advance(row, len(passed) < len(mentions), taken, place=passed[-1] if passed else row.place)
    else:
        PlayerErasure.objects.filter(pk=row.pk).update(finished=datetime.now(UTC))


def _free(found: Sequence[Place]) -> list[Place]:
    """Erase in order, up to the first that something still needs; return those that are free now."""
    waiting = needed(found)
    first = next((n for n, place in enumerate(found) if place.id in waiting), len(found))
    erase_payloads(found[:first], Cause(why=Why.PLAYER))
    return list(found[:first])


def _passed(mentions: Sequence[tuple[int, int]], held: set[int]) -> list[int]:
    """Return the places up to the first event that is still held."""
    first = next((n for n, (_, event) in enumerate(mentions) if event in held), len(mentions))
    return [place for place, _ in mentions[:first]]


def _advance(row: PlayerErasure, waits: bool, taken: Sequence[Place], **cursor: int) -> None:
    count = sum(place.has_payload for place in taken)
    due = datetime.now(UTC) + LATER if waits else row.due
    PlayerErasure.objects.filter(pk=row.pk).update(erased=F("erased") + count, due=due, **cursor)


def _about(key: str, event_pks: Sequence[int]) -> list[Place]:
    """Return those of these events whose data is about this player alone."""
    mine = [event.id for event in many(event_pks) if _player_of(event) == key]
    return sorted(places(mine))


def _player_of(event: LoggedEvent) -> object:
    if event.data_encoding != "json" or not event.data:
        return None
    data = msgspec.json.decode(event.data)
    return data.get("player_id") if isinstance(data, dict) else None
