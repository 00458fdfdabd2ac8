"""The engine's views of what the database holds."""

from collections.abc import Iterable

import msgspec

from events.log.logged import LoggedEvent
from notifications.engine import EventView, PlayerView
from players.models import Player


def event_view(event: LoggedEvent) -> EventView:
    """Return an event as rules see it; its data is parsed here, once."""
    data = msgspec.json.decode(event.data) if event.data_encoding == "json" and event.data else event.data
    return EventView(
        id=event.event_id,
        source=event.source,
        type=event.type,
        subject=event.subject or "",
        stream=event.stream,
        version=event.version,
        time=event.time,
        recorded=event.recorded,
        expires=event.expires,
        data=data,
        lane=event.lane,
    )


def player_views(player_ids: Iterable[int]) -> dict[int, PlayerView]:
    """Return players with their profiles as rules see them."""
    rows = Player.objects.filter(id__in=list(player_ids)).values_list(
        "id", "key", "erased", "profile__locale", "profile__timezone", "profile__display_name", "profile__attributes",
        "profile__revision",
    )  # fmt: skip
    return {
        row[0]: PlayerView(
            key=row[1],
            erased=row[2] is not None,
            locale=row[3] or "",
            timezone=row[4] or "",
            display_name=row[5] or "",
            attributes=row[6] or {},
            profile_revision=row[7] or 0,
        )
        for row in rows
    }
