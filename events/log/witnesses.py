"""Witnesses: the heads of partitions with their digests, written down apart from the partitions.

The sweep does it, not append: appending costs nothing more. What was appended and cut off
again between two sweeps, before any hub had processed it, leaves no trace here; whoever
sent it was answered with its place.
"""

from datetime import UTC, datetime

from django.db import connection

_TAKE = """
INSERT INTO events_witness (partition_id, day, head, digest, seen)
SELECT p.id, %s, p.head, p.digest, %s FROM events_partition p
LEFT JOIN events_witness w ON w.partition_id = p.id
 AND w.day = (SELECT max(x.day) FROM events_witness x WHERE x.partition_id = p.id)
WHERE p.head > 0 AND (w.id IS NULL OR (p.head > w.head AND EXISTS (
 SELECT 1 FROM events_event e WHERE e.id = (p.id << 40) + w.head AND e.digest = w.digest)))
ON CONFLICT (partition_id, day) DO UPDATE
SET head = excluded.head, digest = excluded.digest, seen = excluded.seen WHERE excluded.head > events_witness.head
"""


def take() -> int:
    """Write down each head that has moved since; return how many.

    A partition that contradicts its newest witness gets no other: the evidence is kept for ``verify``.
    """
    now = datetime.now(UTC)
    adapt = connection.ops
    with connection.cursor() as cursor:
        cursor.execute(_TAKE, [adapt.adapt_datefield_value(now.date()), adapt.adapt_datetimefield_value(now)])
        return int(cursor.rowcount)
