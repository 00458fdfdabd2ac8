"""How much waits to be brought by other channels, and since when.

Counting ends at a number: what waits for a dead endpoint may be very much.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Subquery

from notifications.models import Delivery, Outlet
from notifications.models.deliveries import State

MOST = 10_000
"""So many are counted; one more stands for more."""
MOST_OF_AN_OUTLET = 100_000


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What one game has waiting for one channel."""

    game: str  # slug
    channel: str
    count: int  # waiting or just being sent, at most MOST_OF_AN_OUTLET
    oldest_s: float  # age of the one that was queued first, 0 when none waits
    overdue_s: float  # for how long one has been due that nobody has taken, 0 when none has


def waiting(now: datetime) -> Iterator[Waiting]:
    """Tell each outlet: a step in an index or two, and a bounded count where there is something."""
    mine = Delivery.objects.filter(game_id=OuterRef("game_id"), channel=OuterRef("channel"))
    queued = mine.filter(state=State.WAITING).order_by("id").values("created")[:1]
    due = mine.filter(finished=None).order_by("due_at", "id").values("due_at")[:1]
    outlets = Outlet.objects.annotate(queued=Subquery(queued), due=Subquery(due)).select_related("game")
    for outlet in outlets.order_by("game__slug", "channel"):
        yield Waiting(
            game=outlet.game.slug,
            channel=outlet.channel,
            count=_count(outlet) if outlet.due else 0,
            oldest_s=_since(outlet.queued, now),
            overdue_s=_since(outlet.due, now),
        )


def totals() -> tuple[int, int]:
    """Return how many wait (or are just being sent), and how many are dead, of all games; ``MOST + 1`` is more."""
    some = Delivery.objects.filter(finished=None)[: MOST + 1].count()
    return some, Delivery.objects.filter(state=State.DEAD)[: MOST + 1].count()


def _count(outlet: Outlet) -> int:
    rows = Delivery.objects.filter(game_id=outlet.game_id, channel=outlet.channel, finished=None)
    return rows[:MOST_OF_AN_OUTLET].count()


def _since(moment: datetime | None, now: datetime) -> float:
    return max(0.0, (now - moment).total_seconds()) if moment else 0.0
