"""What retention has still to let go of: how many payloads, and about how many bytes."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Avg
from django.db.models.functions import Length

from events.log.horizon import first_since
from events.log.rows import event_pk
from events.models import Event, Game, Partition, Retention, Sweep
from events.retention import payloads

SAMPLED = 200
"""So many of the next events of a partition tell how large a payload is."""


@dataclass(frozen=True, kw_only=True)
class Outlook:
    """What one game would let go of now."""

    game: Game
    events: int  # that the sweeps have yet to look at
    size: int  # bytes of their payloads, by a sample; those that are kept for folds are counted too


def outlook(now: datetime | None = None) -> list[Outlook]:
    """Return it for each game that lets go of payloads; look-ups by key, nothing is counted."""
    moment = now or datetime.now(UTC)
    chosen = Retention.objects.select_related("game").order_by("game__slug")
    return [_of(each, moment) for each in chosen if payloads.wanted(each)]


def _of(retention: Retention, now: datetime) -> Outlook:
    until = payloads.horizon(retention, now)
    parts = list(_parts(retention, until)) if until else []
    return Outlook(
        game=retention.game, events=sum(count for count, _ in parts), size=sum(size for _, size in parts)
    )


def _parts(retention: Retention, until: datetime) -> Iterator[tuple[int, int]]:
    swept = dict(
        Sweep.objects.filter(game_id=retention.game_id, name=payloads.NAME).values_list("part", "position")
    )
    for partition, head in Partition.objects.filter(game_id=retention.game_id).values_list("id", "head"):
        position = swept.get(partition, 0)
        count = first_since(partition, until, (min(position, head), head + 1)) - 1 - min(position, head)
        yield count, round(count * _mean(partition, position)) if count else 0


def _mean(partition_id: int, after: int) -> float:
    first = event_pk(partition_id, after + 1)
    rows = Event.objects.filter(id__gte=first, id__lt=first + SAMPLED)
    return float(rows.aggregate(mean=Avg(Length("data"), default=0.0))["mean"])
