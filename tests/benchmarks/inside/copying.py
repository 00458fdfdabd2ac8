"""The bare COPY that stands beside: the same rows into a table with the same columns, indexes and foreign keys."""

import time
from typing import Any

import psycopg
from django.conf import settings

from tests.benchmarks.inside.entries import batches


def connected() -> psycopg.Connection[Any]:
    """Open a connection of psycopg's own to the same database."""
    told = settings.DATABASES["default"]
    return psycopg.connect(
        host=told["HOST"], port=told["PORT"], user=told["USER"], dbname=told["NAME"], autocommit=False
    )


def make_table(like: str) -> None:
    """Make ``bench_<like>``, empty."""
    with connected() as postgres, postgres.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS bench_{like}")
        cursor.execute(f"CREATE TABLE bench_{like} (LIKE {like} INCLUDING ALL)")
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'",
            [like],
        )
        for (definition,) in cursor.fetchall():
            cursor.execute(f"ALTER TABLE bench_{like} ADD {definition}")


def columns(cursor: Any, table: str) -> tuple[list[str], list[int]]:
    """Return a table's columns and their types."""
    cursor.execute(f"SELECT * FROM {table} LIMIT 0")
    return [each.name for each in cursor.description], [each.type_code for each in cursor.description]


def copy(cursor: Any, like: str, names: list[str], oids: list[int], rows: list[tuple[Any, ...]]) -> None:
    """COPY rows into the table that was made like another."""
    listed = ", ".join(f'"{name}"' for name in names)
    with cursor.copy(f"COPY bench_{like} ({listed}) FROM STDIN (FORMAT BINARY)") as copying:
        copying.set_types(oids)
        for row in rows:
            copying.write_row(row)


def events_per_second(count: int, size: int) -> float:
    """COPY the last events of the log in batches, a transaction each; return rows a second."""
    make_table("events_event")
    with connected() as postgres, postgres.cursor() as cursor:
        names, oids = columns(cursor, "events_event")
        cursor.execute(
            "SELECT * FROM (SELECT * FROM events_event ORDER BY recorded DESC, id DESC LIMIT %s) e ORDER BY id",
            [count],
        )
        made = list(batches(cursor.fetchall(), size))
        postgres.commit()
        began = time.perf_counter()
        for some in made:
            copy(cursor, "events_event", names, oids, some)
            postgres.commit()
        return count / (time.perf_counter() - began)
