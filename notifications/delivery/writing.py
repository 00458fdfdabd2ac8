"""The rows that a hub's transaction writes: one for each notification and channel."""

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from notifications.delivery import outlets, schedule
from notifications.models import Delivery


def rows(
    game_id: int, uid: UUID, channels: Collection[str], now: datetime, expires: datetime | None
) -> list[Delivery]:
    """Return a notification's deliveries by those of its channels that the game has set up; none is saved yet."""
    ready = outlets.ready(game_id) if channels else frozenset()
    return [
        Delivery(
            notification_id=uid,
            game_id=game_id,
            channel=channel,
            due_at=now,
            until=schedule.until(now, expires),
            created=now,
        )
        for channel in channels
        if channel in ready
    ]
