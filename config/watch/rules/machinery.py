"""The machinery: sweeps, broker, Redis, the disk, the clocks."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from django.conf import settings
from django.db import connection
from django.urls import reverse

from config.health import BROKER, REDIS
from config.watch.conditions import Condition
from config.watch.kinds import Kind
from events import heartbeats, storage
from events.admin.replay_words import duration
from events.hubs.claim import holder

PATIENCE_S = 1.0
FULL = 0.1
"""So little room left of all that there may be is an alarm too, however slowly it goes."""
READY = "/readyz"


def sweeps(kinds: Mapping[str, Kind], now: datetime) -> Iterator[Condition]:
    """Find out that beat, broker or workers are not there: the sweep has not run for too long."""
    kind = kinds["sweeps"]
    last = heartbeats.last(heartbeats.SWEEP, now)
    if (age := (now - last).total_seconds()) > kind.limit:
        yield Condition(
            kind=kind.name,
            value=age,
            limit=kind.limit,
            text=f"The sweep, which beat starts every 5 s, has not run for {duration(age)}: beat, the broker or the"
            " workers are not there.",
            url=reverse("admin:django_celery_beat_periodictask_changelist"),
            since=last,
        )


def servers(kinds: Mapping[str, Kind], _now: datetime) -> Iterator[Condition]:
    """Ask the broker and Redis, as this process sees them."""
    if not settings.CLARION_SERVICES:
        return
    for name, probe, wanted in (("broker", BROKER, True), ("redis", REDIS, bool(settings.REDIS_URL))):
        if wanted and kinds[name].enabled and (said := probe.glance(PATIENCE_S)) != "ok":
            kind = kinds[name]
            yield Condition(
                kind=name,
                value=0,
                limit=kind.limit,
                text=f"{kind.title}: {said.removeprefix('away ')}.",
                url=READY,
            )


def disk(kinds: Mapping[str, Kind], _now: datetime) -> Iterator[Condition]:
    """Reckon for how many days the disk will do."""
    kind, forecast = kinds["disk"], storage.forecast()
    if forecast.limit is None or forecast.free is None:
        return
    days = forecast.days_left
    if (days is not None and days < kind.limit) or forecast.free < FULL * forecast.limit:
        left = f"{days:.1f} days at the present rate" if days is not None else "nothing grows at present"
        yield Condition(
            kind=kind.name,
            value=kind.limit if days is None else round(days, 1),
            limit=kind.limit,
            text=f"The database takes {in_bytes(forecast.used)} of {in_bytes(forecast.limit)}:"
            f" {in_bytes(forecast.free)} are left, {left}.",
            url=reverse("admin:index"),
        )


def clock(kinds: Mapping[str, Kind], _now: datetime) -> Iterator[Condition]:
    """Compare this machine's clock with the database server's."""
    if connection.vendor != "postgresql":
        return
    kind, skew = kinds["clock"], database_skew_s()
    if skew > kind.limit:
        yield Condition(
            kind=kind.name,
            value=skew,
            limit=kind.limit,
            text=f"The clock of {holder()} and the database server's differ by {skew:.1f} s.",
            url=READY,
        )


def database_skew_s() -> float:
    """Return by how many seconds the database server's clock and ours differ at least."""
    before = datetime.now(UTC)
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        theirs: datetime = cursor.fetchone()[0]
    return outside(theirs, before, datetime.now(UTC))


def outside(theirs: datetime, before: datetime, after: datetime) -> float:
    """Return by how many seconds a time lies outside of when it was asked for."""
    return max(0.0, (before - theirs).total_seconds(), (theirs - after).total_seconds())


def in_bytes(count: float) -> str:
    """Say how many bytes that are, for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:  # noqa: PLR2004 - the unit's size
            return f"{count:.0f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
