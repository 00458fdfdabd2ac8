"""The log on PostgreSQL: row locks, one INSERT from arrays for few rows, COPY for many.

Look-ups are LATERAL with LIMIT, which leaves the planner no choice but the index; a
statement whose plan was made on an empty table cost three to five times as much
(measured for the design). Nothing here is ever a prepared statement.
"""

from collections.abc import Sequence
from typing import Any

from django.db import connection

from events.log.rows import COLUMNS, Row
from events.log.store import Heads, Identity, Known, Store, StreamKey
from events.rows import bound_cursor

LOCK_TIMEOUT_MS = 2_000
STATEMENT_TIMEOUT_MS = 5_000
COPY_FROM_ROWS = 100
"""From so many rows on COPY is the faster way (70k rows/s against 23k, measured for the design)."""
APPLICATION = "clarion-append"
"""Marks the transaction, so that a waiter may end a frozen one and nothing else."""

_TYPES = (
    "int8", "int8", "int8", "int8", "int2", "text", "int8", "text", "text", "text", "text", "timestamptz",
    "timestamptz", "timestamptz", "text", "text", "text", "text", "text", "text", "bytea", "bytea", "bytea",
)  # fmt: skip
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_COPY = f"COPY events_event ({_NAMES}) FROM STDIN (FORMAT BINARY)"
_ARRAYS = ", ".join(f"%s::{kind}[]" for kind in _TYPES)
_INSERT = f"INSERT INTO events_event ({_NAMES}) SELECT * FROM unnest({_ARRAYS})"  # noqa: S608 - names are ours


class PostgresStore(Store):
    """Server-side binding throughout: arrays travel as parameters, never as text of the statement."""

    def begin(self) -> None:
        """Bound this transaction only, and put a name on it."""
        with bound_cursor() as cursor:
            cursor.execute(
                "SELECT set_config('lock_timeout', %s, true), set_config('statement_timeout', %s, true),"
                " set_config('idle_in_transaction_session_timeout', %s, true),"
                " set_config('application_name', %s, true)",
                [str(LOCK_TIMEOUT_MS), str(STATEMENT_TIMEOUT_MS), str(STATEMENT_TIMEOUT_MS), APPLICATION],
            )

    def lock(self, partition_ids: Sequence[int]) -> list[Heads]:
        """Lock the rows one after the other in the order of their ids."""
        with bound_cursor() as cursor:
            cursor.execute(
                "SELECT id, game_id, number, head, urgent_head, normal_head, bulk_head, urgent_count, normal_count,"
                " bulk_count, digest FROM events_partition"
                " WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE",
                [list(partition_ids)],
            )
            return [Heads(row) for row in cursor.fetchall()]

    def find(self, identities: Sequence[Identity]) -> dict[Identity, Known]:
        """Probe the index of identities once for each."""
        games, sources, ids = _columns(identities, 3)
        with bound_cursor() as cursor:
            cursor.execute(
                'SELECT k.game, k.source, k.id, e.stream, e.version, e.partition_id, e."offset"'
                " FROM unnest(%s::int8[], %s::text[], %s::text[]) AS k(game, source, id) CROSS JOIN LATERAL"
                ' (SELECT stream, version, partition_id, "offset" FROM events_event'
                " WHERE game_id = k.game AND source = k.source AND event_id = k.id LIMIT 1) e",
                [games, sources, ids],
            )
            return {Identity(*row[:3]): Known(*row[3:]) for row in cursor.fetchall()}

    def versions(self, streams: Sequence[StreamKey]) -> dict[StreamKey, int]:
        """Read the end of each stream's index range."""
        games, names = _columns(streams, 2)
        with bound_cursor() as cursor:
            cursor.execute(
                "SELECT k.game, k.stream, e.version FROM unnest(%s::int8[], %s::text[]) AS k(game, stream)"
                " CROSS JOIN LATERAL (SELECT version FROM events_event WHERE game_id = k.game AND stream = k.stream"
                " ORDER BY version DESC LIMIT 1) e",
                [games, names],
            )
            return {StreamKey(*row[:2]): row[2] for row in cursor.fetchall()}

    def insert(self, rows: Sequence[Row]) -> None:
        """Insert few rows by arrays, many by COPY."""
        with bound_cursor() as cursor:
            if len(rows) < COPY_FROM_ROWS:
                cursor.execute(_INSERT, _columns(rows, len(COLUMNS)))
                return
            with cursor.copy(_COPY) as copy:
                copy.set_types(_TYPES)
                for row in rows:
                    copy.write_row(row)

    def raise_heads(self, heads: Sequence[Heads]) -> None:
        """Write all heads in one statement; the rows are locked already."""
        rows = [(part.id, part.head, *part.lanes, *part.counts, part.digest) for part in heads]
        with bound_cursor() as cursor:
            cursor.execute(
                "UPDATE events_partition p SET head = h.head, urgent_head = h.urgent, normal_head = h.normal,"
                " bulk_head = h.bulk, urgent_count = h.urgents, normal_count = h.normals, bulk_count = h.bulks,"
                " digest = h.digest FROM unnest(%s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[], %s::int8[],"
                " %s::int8[], %s::int8[], %s::bytea[])"
                " AS h(id, head, urgent, normal, bulk, urgents, normals, bulks, digest) WHERE p.id = h.id",
                _columns(rows, 9),
            )


def end_frozen_holder(older_than_s: int = 5) -> int:
    """End append transactions that hold a partition for longer than this; return how many.

    A backend whose client froze inside COPY FROM STDIN obeys no timeout (measured for
    the design: it held its locks at 15 s), so whoever waits in vain ends it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity a"
            " WHERE a.datname = current_database() AND a.application_name = %s AND a.pid <> pg_backend_pid()"
            " AND a.xact_start < clock_timestamp() - make_interval(secs => %s) AND EXISTS (SELECT 1 FROM pg_locks l"
            " WHERE l.pid = a.pid AND l.granted AND l.relation = 'events_partition'::regclass)",
            [APPLICATION, older_than_s],
        )
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
