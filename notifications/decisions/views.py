"""The engine's views of what the database holds."""

from collections.abc import Iterable

import msgspec
from django.db import connection

from events.log.logged import LoggedEvent
from events.rows import among
from notifications.engine import EventView, PlayerView


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
    where, values = among("p.id", list(player_ids))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.id, p.key, p.erased IS NOT NULL, f.locale, f.timezone, f.display_name, f.attributes, f.revision"  # noqa: S608 - ours
            f" FROM players_player p LEFT JOIN players_profile f ON f.player_id = p.id WHERE {where}",
            [values],
        )
        rows = cursor.fetchall()
    return {
        row[0]: PlayerView(
            key=row[1],
            erased=bool(row[2]),
            locale=row[3] or "",
            timezone=row[4] or "",
            display_name=row[5] or "",
            attributes=msgspec.json.decode(row[6]) if row[6] else {},
            profile_revision=row[7] or 0,
        )
        for row in rows
    }
