"""Reading an inbox, newest first."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db.models import Q

from notifications.frames import FIELDS, Item, Marks, described
from notifications.models import Notification
from players.models import Player

LIMIT_MAX = 100


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some notifications, and where the next page begins (None at the end)."""

    items: list[dict[str, Any]]
    next: int | None


def page(  # what a page is asked for with
    player: Player, *, before: int | None, limit: int, unread: bool = False, category: str | None = None
) -> Page:
    """Return a page of what is in a player's inbox: not archived, not gone, not expired, not live."""
    rows = Notification.objects.filter(player=player, gone="", archived=None).exclude(
        notification_class="live"
    )
    rows = rows.filter(Q(expires=None) | Q(expires__gt=datetime.now(UTC)))
    if before is not None:
        rows = rows.filter(number__lt=before)
    if unread:
        rows = rows.filter(read=None, number__gt=player.read_through)
    if category is not None:
        rows = rows.filter(category=category)
    found = [Item(*row) for row in rows.order_by("-number").values_list(*FIELDS)[: limit + 1]]
    marks = Marks(player.seen_through, player.seen_at, player.read_through, player.read_at)
    shown = found[:limit]
    return Page(
        items=[described(item, marks) for item in shown],
        next=shown[-1].number if len(found) > limit else None,
    )
