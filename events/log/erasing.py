"""Erasing payloads: ``data`` and ``salt`` go and it is recorded; identity, versions and chain stay whole."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import BooleanField, ExpressionWrapper, Model, Q, QuerySet

from events.models import Erasure, Event
from events.models.erasures import Why

SPAN_MAX = 4_096
"""So many offsets one record spans at most: verifying looks back no further."""


class Place(NamedTuple):
    """An event without its payload: where it is, and what is needed to know who still reads it."""

    id: int
    game_id: int
    partition_id: int
    offset: int
    lane: int
    stream: str
    version: int
    type: str
    recorded: datetime
    has_payload: bool


@dataclass(frozen=True, kw_only=True)
class Cause:
    """Why payloads go, and on whose word."""

    why: Why
    by: str = ""
    reason: str = ""


def _rows() -> QuerySet[Event]:
    return Event.objects.annotate(has_payload=ExpressionWrapper(Q(data__isnull=False), BooleanField()))


def places(event_pks: Iterable[int]) -> list[Place]:
    """Return these events in the order of their ids, payloads left in the database."""
    rows = _rows().filter(id__in=list(event_pks)).order_by("id")
    return [Place(*row) for row in rows.values_list(*Place._fields)]


def walk(partition_id: int, after: int, limit: int) -> list[Place]:
    """Return up to ``limit`` events of a partition after an offset, in order, payloads left in the database."""
    first = (partition_id << 40) | (after + 1)
    rows = _rows().filter(id__gte=first, id__lt=(partition_id + 1) << 40).order_by("id")
    return [Place(*row) for row in rows.values_list(*Place._fields)[:limit]]


def stream_walk(game_id: int, stream: str, after: int, limit: int) -> list[Place]:
    """Return up to ``limit`` events of a stream after a version, in order, payloads left in the database."""
    rows = _rows().filter(game_id=game_id, stream=stream, version__gt=after).order_by("version")
    return [Place(*row) for row in rows.values_list(*Place._fields)[:limit]]


def erase_payloads(found: Sequence[Place], cause: Cause) -> int:
    """Take the payloads of these events and record it, in one transaction; return how many had one.

    Whether somebody still needs them is for the caller to ask (``events.hubs.needs``), in the
    same transaction. Erasing again adds nothing and records nothing.
    """
    wanted = sorted(place.id for place in found if place.has_payload)
    if not wanted:
        return 0
    with transaction.atomic():
        erased = _take(wanted)
        for places_of_one in _by_partition(place for place in found if place.id in erased):
            _record(places_of_one, cause)
    return len(erased)


def _take(ids: Sequence[int]) -> set[int]:
    """Null them, and return which had not been before; in the order of ids, so that two cannot deadlock."""
    marks = ", ".join(["%s"] * len(ids))
    lock = " FOR NO KEY UPDATE" if connection.features.has_select_for_update else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM events_event WHERE id IN ({marks}) AND data IS NOT NULL ORDER BY id{lock}",  # noqa: S608 - ours
            ids,
        )
        full = [row[0] for row in cursor.fetchall()]
        if full:
            marks = ", ".join(["%s"] * len(full))
            cursor.execute(f"UPDATE events_event SET data = NULL, salt = NULL WHERE id IN ({marks})", full)  # noqa: S608 - ours
    return set(full)


def _by_partition(found: Iterable[Place]) -> Iterator[list[Place]]:
    """Group by partition, and cut where one record would span too many offsets."""
    for _, rows in groupby(sorted(found), key=lambda place: place.partition_id):
        span: list[Place] = []
        for place in rows:
            if span and place.offset - span[0].offset >= SPAN_MAX:
                yield span
                span = []
            span.append(place)
        yield span


def _record(span: Sequence[Place], cause: Cause) -> None:
    start, stop = span[0].offset, span[-1].offset
    bits = bytearray((stop - start) // 8 + 1)
    for place in span:
        bits[(place.offset - start) >> 3] |= 1 << ((place.offset - start) & 7)
    row = Erasure(
        game_id=span[0].game_id,
        partition_id=span[0].partition_id,
        start=start,
        stop=stop,
        bits=bytes(bits),
        count=len(span),
        why=cause.why,
        by=cause.by,
        reason=cause.reason,
        at=datetime.now(UTC),
    )
    Model.save(row)  # append-only: this is the one place that appends


def recorded_at(partition_id: int, offset: int) -> Erasure | None:
    """Return the record of the erasure that took this payload, or None."""
    rows = Erasure.objects.filter(
        partition_id=partition_id, start__gt=offset - SPAN_MAX, start__lte=offset, stop__gte=offset
    )
    return next((row for row in rows.order_by("start") if row.covers(offset)), None)


class Recorded:
    """The erasures of a partition, for whoever asks about its offsets in ascending order."""

    def __init__(self, partition_id: int) -> None:
        """Read as far as is asked."""
        rows = Erasure.objects.filter(partition_id=partition_id).order_by("start", "id")
        self._rows = rows.iterator(chunk_size=2_000)
        self._next = next(self._rows, None)
        self._open: list[Erasure] = []

    def has(self, offset: int) -> bool:
        """Tell whether the payload at this offset was taken on record."""
        while self._next is not None and self._next.start <= offset:
            self._open.append(self._next)
            self._next = next(self._rows, None)
        self._open = [row for row in self._open if row.stop >= offset]
        return any(row.covers(offset) for row in self._open)
