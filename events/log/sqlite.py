"""The log on SQLite, where BEGIN IMMEDIATE is the lock."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection

from events.log.rows import COLUMNS, Row
from events.log.store import Heads, Identity, Known, Store, StreamKey

_TIMES = [COLUMNS.index(name) for name in ("time", "recorded", "expires")]
_NAMES = ", ".join(f'"{name}"' for name in COLUMNS)
_INSERT = f"INSERT INTO events_event ({_NAMES}) VALUES ({', '.join(['%s'] * len(COLUMNS))})"  # noqa: S608 - names are ours


class SQLiteStore(Store):
    """Look-ups by json_each, which stands first in a CROSS JOIN so that the index is used."""

    def begin(self) -> None:
        """Nothing: the fair lock around BEGIN IMMEDIATE bounds the wait."""

    def lock(self, partition_ids: Sequence[int]) -> list[Heads]:
        """Read the heads; the whole database is locked already."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, game_id, number, head, urgent_head, normal_head, bulk_head, urgent_count, normal_count,"
                " bulk_count, digest FROM events_partition"
                " WHERE id IN (SELECT value FROM json_each(%s)) ORDER BY id",
                [json.dumps(list(partition_ids))],
            )
            return [Heads(row) for row in cursor.fetchall()]

    def find(self, identities: Sequence[Identity]) -> dict[Identity, Known]:
        """Probe the index of identities once for each."""
        with connection.cursor() as cursor:
            cursor.execute(
                'SELECT e.game_id, e.source, e.event_id, e.stream, e.version, e.partition_id, e."offset"'
                " FROM json_each(%s) k CROSS JOIN events_event e ON e.game_id = k.value ->> 0"
                " AND e.source = k.value ->> 1 AND e.event_id = k.value ->> 2",
                [json.dumps(identities)],
            )
            return {Identity(*row[:3]): Known(*row[3:]) for row in cursor.fetchall()}

    def versions(self, streams: Sequence[StreamKey]) -> dict[StreamKey, int]:
        """Read the end of each stream's index range."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT k.value ->> 0, k.value ->> 1, (SELECT max(e.version) FROM events_event e"
                " WHERE e.game_id = k.value ->> 0 AND e.stream = k.value ->> 1) FROM json_each(%s) k",
                [json.dumps(streams)],
            )
            return {StreamKey(*row[:2]): row[2] for row in cursor.fetchall() if row[2] is not None}

    def insert(self, rows: Sequence[Row]) -> None:
        """Insert row by row within one statement's preparation."""
        with connection.cursor() as cursor:
            cursor.executemany(_INSERT, [_adapt(row) for row in rows])

    def raise_heads(self, heads: Sequence[Heads]) -> None:
        """Write each partition's heads."""
        with connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE events_partition SET head = %s, urgent_head = %s, normal_head = %s, bulk_head = %s,"
                " urgent_count = %s, normal_count = %s, bulk_count = %s, digest = %s WHERE id = %s",
                [(part.head, *part.lanes, *part.counts, part.digest, part.id) for part in heads],
            )


def _adapt(row: Row) -> list[Any]:
    values: list[Any] = list(row)
    for index in _TIMES:
        moment: datetime | None = values[index]
        values[index] = connection.ops.adapt_datetimefield_value(moment) if moment else None
    return values
