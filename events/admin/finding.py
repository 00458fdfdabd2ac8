"""Finding an event by what support staff are given: a place, an id, or a stream."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from events.log.rows import event_pk
from events.models import Event, Partition

SOURCES_MAX = 500
"""An id is looked for under so many of a game's sources; the log knows it only with its source."""
_PLACE = re.compile(r"(\d{1,3}):(\d{1,12})")


def find(term: str, games: Sequence[int], found: QuerySet[Any]) -> list[QuerySet[Any]]:
    """Return the branches of what is meant: ``partition:offset``, a whole id, or else a whole stream."""
    keys = at_place(term, games) or with_id(term, games)
    if keys:
        return [found.filter(pk__in=keys)]
    return [found.filter(game_id=game, stream=term).order_by("-version") for game in games]


def at_place(term: str, games: Iterable[int]) -> list[int]:
    """Return the keys of the events at ``partition:offset``, one for each game."""
    if not (place := _PLACE.fullmatch(term)):
        return []
    partitions = Partition.objects.filter(game_id__in=games, number=int(place[1]))
    keys = [event_pk(each, int(place[2])) for each in partitions.values_list("id", flat=True)]
    return list(Event.objects.filter(pk__in=keys).values_list("pk", flat=True))


def with_id(term: str, games: Iterable[int]) -> list[int]:
    """Return the keys of the events with this id, whatever their source."""
    return [
        key
        for game in games
        for key in Event.objects.filter(game_id=game, source__in=sources(game), event_id=term).values_list(
            "pk", flat=True
        )[:SOURCES_MAX]
    ]


def sources(game: int) -> list[str]:
    """Return a game's sources, from step to step of the index of identities: none of it is walked."""
    step = "SELECT min(source) FROM events_event WHERE game_id = %s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH RECURSIVE sources(source) AS (SELECT ({step}) UNION ALL"  # noqa: S608 - ours; values are bound
            f" SELECT ({step} AND source > sources.source) FROM sources WHERE sources.source IS NOT NULL)"
            " SELECT source FROM sources WHERE source IS NOT NULL LIMIT %s",
            [game, game, SOURCES_MAX],
        )
        return [row[0] for row in cursor.fetchall()]
