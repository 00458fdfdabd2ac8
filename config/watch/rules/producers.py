"""Game servers: who repeats itself, and who is sent away."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from config.watch.conditions import Condition
from config.watch.kinds import Kind
from events import producers
from events.admin.cells import address_of, page_of
from events.models import Checkpoint, RefusedLane

WINDOW = timedelta(minutes=5)
EVENTS_MIN = 100
"""Fewer in the window tell no ratio."""


def duplicates(kinds: Mapping[str, Kind], now: datetime) -> Iterator[Condition]:
    """Find API keys of whose events too many are repeats."""
    kind = kinds["duplicates"]
    for ratio in producers.ratios(now - WINDOW, EVENTS_MIN):
        if ratio.percent > kind.limit:
            key = ratio.api_key
            yield Condition(
                kind=kind.name,
                key=f"{key.name} {key.prefix}",
                value=round(ratio.percent, 1),
                limit=kind.limit,
                text=f"Of the events that {key.name} ({key.prefix}…) sent within five minutes {ratio.percent:.0f} %"
                f" were repeats: {ratio.duplicates:,} of {ratio.duplicates + ratio.appended:,}.",
                url=page_of(key),
                game_id=key.game_id,
            )


def refusing(kinds: Mapping[str, Kind], now: datetime) -> Iterator[Condition]:
    """Find lanes that are refused for too long."""
    limit = kinds["refusing"].limit
    for row in RefusedLane.objects.select_related("game").order_by("game", "lane"):
        if (age := (now - row.since).total_seconds()) > limit:
            lane = row.get_lane_display()
            yield Condition(
                kind="refusing",
                key=f"{row.game.slug}/{lane}",
                value=age,
                limit=limit,
                text=f"Events of the {lane} lane of {row.game.slug} have been refused for {age:.0f} s: its hubs are too"
                " far behind.",
                url=address_of(Checkpoint, lane__exact=row.lane, partition__game__id__exact=row.game_id),
                game_id=row.game_id,
                since=row.since,
            )
