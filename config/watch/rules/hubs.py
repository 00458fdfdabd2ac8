"""Hubs: late lanes, hubs that stand still, parked streams, the outbox."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Min

from config.watch.conditions import Condition
from config.watch.kinds import Kind
from events.admin.cells import address_of
from events.hubs.progress import age_of, behind, lags, oldest
from events.lanes import Lane
from events.models import Checkpoint, DeadLetter, Game, OutboxEvent

LATELY = timedelta(minutes=10)


def late_or_stalled(kinds: Mapping[str, Kind], now: datetime) -> Iterator[Condition]:
    """Find lanes whose oldest event waits for too long, and hubs that do not move although work waits."""
    found = lags()
    for lag in found:
        lane = Lane(lag.lane)
        kind = kinds[f"lag_{lane.label}"]
        if lag.oldest_s > kind.limit:
            yield Condition(
                kind=kind.name,
                key=lag.hub,
                value=lag.oldest_s,
                limit=kind.limit,
                text=f"The hub {lag.hub} is late in the {lane.label} lane: its oldest event waits for"
                f" {lag.oldest_s:.1f} s, {lag.events:,} events wait in all.",
                url=address_of(Checkpoint, hub=lag.hub, lane__exact=int(lane)),
                since=now - timedelta(seconds=lag.oldest_s),
            )
    limit = kinds["hub_stalled"].limit
    for lane in {Lane(lag.lane) for lag in found if lag.oldest_s > limit}:
        yield from _stalled(lane, limit, now)


def _stalled(lane: Lane, limit: float, now: datetime) -> Iterator[Condition]:
    """Find where nothing has advanced for too long, although an event waits for as long."""
    before = connection.ops.adapt_datetimefield_value(now - timedelta(seconds=limit))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.hub, p.game_id, g.slug, count(*), min({oldest(lane)}), min(c.advanced)"  # noqa: S608 - our columns
            " FROM events_checkpoint c JOIN events_partition p ON p.id = c.partition_id"
            " JOIN events_game g ON g.id = p.game_id"
            f" WHERE c.lane = %s AND NOT c.paused AND c.advanced < %s AND {behind(lane)}"
            " GROUP BY c.hub, p.game_id, g.slug ORDER BY c.hub, p.game_id",
            [lane, before],
        )
        rows = cursor.fetchall()
    for hub, game_id, slug, count, recorded, advanced in rows:
        value = min(age_of(recorded), age_of(advanced))
        if value > limit:
            yield Condition(
                kind="hub_stalled",
                key=f"{hub}/{lane.label}/{slug}",
                value=value,
                limit=limit,
                text=f"The hub {hub} stands still in the {lane.label} lane of {slug}: {count}"
                f" partition{'s' if count > 1 else ''} with work, no advance for {value:.0f} s.",
                url=address_of(
                    Checkpoint, hub=hub, lane__exact=int(lane), partition__game__id__exact=game_id
                ),
                game_id=game_id,
                since=now - timedelta(seconds=value),
            )


def dead_letters(kinds: Mapping[str, Kind], now: datetime) -> Iterator[Condition]:
    """Find games of which more streams were parked lately than should be."""
    limit = kinds["dead_letters"].limit
    parked = DeadLetter.objects.filter(resolved=None, created__gt=now - LATELY).values(
        "game_id", "game__slug"
    )
    for row in parked.annotate(count=Count("id"), first=Min("created")).order_by("game_id"):
        if row["count"] > limit:
            yield Condition(
                kind="dead_letters",
                key=row["game__slug"],
                value=row["count"],
                limit=limit,
                text=f"{row['count']} stream{'s were' if row['count'] > 1 else ' was'} parked in"
                f" {row['game__slug']} within the last ten minutes: their events wait.",
                url=address_of(DeadLetter, game__id__exact=row["game_id"]),
                game_id=row["game_id"],
                since=row["first"],
            )


def outbox(kinds: Mapping[str, Kind], now: datetime) -> Iterator[Condition]:
    """Find Clarion's own events that the log does not take."""
    limit = kinds["outbox"].limit
    row = (
        OutboxEvent.objects.filter(appended=None).order_by("id").values_list("created", "game__slug").first()
    )
    if row and (age := (now - row[0]).total_seconds()) > limit:
        yield Condition(
            kind="outbox",
            value=age,
            limit=limit,
            text=f"Clarion's own events wait for the log: the oldest, of {row[1]}, for {age:.0f} s.",
            url=address_of(OutboxEvent, waiting=1),
            since=row[0],
        )


def game_ids() -> list[int]:
    """Return all games."""
    return list(Game.objects.order_by("id").values_list("id", flat=True))
