"""Blocking: a blocked player may not connect, and keeps everything else."""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import transaction

from events import staff
from players.locks import lock_players
from players.models import Player


@transaction.atomic
def block(players: Sequence[Player], by: str, reason: str) -> int:
    """Block players; return how many were not blocked before.

    Gateways close their sockets when they next look, within a second; tokens are refused
    while it lasts. Notifications are still made: they find them when they may come back.
    """
    return _set(players, datetime.now(UTC), "player.blocked", by, reason)


@transaction.atomic
def unblock(players: Sequence[Player], by: str, reason: str) -> int:
    """Let players connect again; return how many were blocked."""
    return _set(players, None, "player.unblocked", by, reason)


def _set(players: Sequence[Player], blocked: datetime | None, what: str, by: str, reason: str) -> int:
    ids = frozenset(player.pk for player in players)
    lock_players(ids)
    changing = Player.objects.filter(id__in=ids, blocked__isnull=blocked is not None, erased=None)
    changed = list(changing.order_by("id"))
    Player.objects.filter(id__in=[player.pk for player in changed]).update(blocked=blocked)
    for player in changed:
        staff.note(player.game_id, what, by, player=player.key, reason=reason)
    return len(changed)
