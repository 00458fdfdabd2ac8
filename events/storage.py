"""How much room the database takes, how fast that grows, and for how many days the disk will do."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import OperationalError, connection
from django.db.models import Sum

from events.models import Partition, StorageSample

EVERY = timedelta(minutes=55)
"""A sample is taken when the newest is older than this; the sweep comes more often."""
KEEP = timedelta(days=90)
WINDOW = timedelta(days=7)
"""Growth is that of the last so many days: long enough for a weekend, short enough for a new game."""
SPAN_MIN = timedelta(hours=1)
"""Samples closer together tell nothing."""
DBSTAT_MAX = 2 << 30
"""Of a larger file SQLite is not asked for its tables: it reads every page to know."""


@dataclass(frozen=True, kw_only=True)
class Size:
    """What one table takes, in bytes. SQLite's ``rows`` has the text of long payloads in it too."""

    rows: int
    indexes: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.rows + self.indexes


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """How it stands, in bytes and days; None is what cannot be known (yet)."""

    used: int  # now, indexes included
    growth_per_day: int | None  # over the last days; negative when it shrinks; None in the first hour
    limit: int | None  # how much it may become; None on services without CLARION_DISK_BYTES
    events_per_day: int | None

    @property
    def free(self) -> int | None:
        """How much is left."""
        return None if self.limit is None else max(0, self.limit - self.used)

    @property
    def days_left(self) -> float | None:
        """In how many days the limit is reached; None where it is unknown, or nothing grows."""
        if self.free is None or self.growth_per_day is None or self.growth_per_day <= 0:
            return None
        return self.free / self.growth_per_day


def forecast(now: datetime | None = None) -> Forecast:
    """Measure, and compare with the samples of the last seven days. A few cheap statements."""
    moment = now or datetime.now(UTC)
    used, events = used_bytes(), _events()
    first = StorageSample.objects.filter(at__gte=moment - WINDOW).order_by("at").first()
    known = first is not None and moment - first.at >= SPAN_MIN
    days = (moment - first.at) / timedelta(days=1) if first and known else 0.0
    return Forecast(
        used=used,
        growth_per_day=round((used - first.used) / days) if first and known else None,
        limit=_limit(used),
        events_per_day=round((events - first.events) / days) if first and known else None,
    )


def sample(now: datetime | None = None) -> StorageSample | None:
    """Take a sample unless there is a fresh one, and let old ones go."""
    moment = now or datetime.now(UTC)
    StorageSample.objects.filter(at__lt=moment - KEEP).delete()
    if StorageSample.objects.filter(at__gt=moment - EVERY).exists():
        return None
    sizes = {name: [size.rows, size.indexes] for name, size in tables().items()}
    return StorageSample.objects.create(at=moment, used=used_bytes(), events=_events(), tables=sizes)


def used_bytes() -> int:
    """Return how many bytes the database takes. SQLite's free pages are used again, and do not count."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT pg_database_size(current_database())")
            return int(cursor.fetchone()[0])
        pages, free, size = (
            cursor.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((pages - free) * size)


def tables() -> dict[str, Size]:
    """Return what each table takes, the largest first; empty where the database cannot say it cheaply."""
    sizes = _postgres_tables() if connection.vendor == "postgresql" else _sqlite_tables()
    return dict(sorted(sizes.items(), key=lambda item: -item[1].total))


def _postgres_tables() -> dict[str, Size]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_table_size(relid), pg_indexes_size(relid) FROM pg_stat_user_tables"
            " WHERE schemaname = current_schema()"
        )
        return {name: Size(rows=rows, indexes=indexes) for name, rows, indexes in cursor.fetchall()}


def _sqlite_tables() -> dict[str, Size]:
    if used_bytes() > DBSTAT_MAX or not _has_dbstat():
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT m.tbl_name, sum(CASE m.type WHEN 'table' THEN d.pgsize ELSE 0 END),"
            " sum(CASE m.type WHEN 'index' THEN d.pgsize ELSE 0 END) FROM dbstat d"
            " JOIN sqlite_master m ON m.name = d.name WHERE d.aggregate = 1 GROUP BY m.tbl_name"
        )
        return {name: Size(rows=rows, indexes=indexes) for name, rows, indexes in cursor.fetchall()}


def _has_dbstat() -> bool:
    """Tell whether this SQLite was built with it; most are."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1 FROM dbstat LIMIT 0")
    except OperationalError:
        return False
    return True


def _limit(used: int) -> int | None:
    """Return the bytes that may be used: as set, or on the data folder's disk. SQL cannot tell a server's."""
    if settings.CLARION_DISK_BYTES:
        return int(settings.CLARION_DISK_BYTES)
    if settings.CLARION_SERVICES:
        return None
    return used + shutil.disk_usage(_folder()).free


def _folder() -> Path:
    return Path(settings.CLARION_DATA)


def _events() -> int:
    return int(Partition.objects.aggregate(total=Sum("head"))["total"] or 0)
