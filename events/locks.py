"""Who holds the lock on a partition's or a checkpoint's row, since when, and how to end it.

PostgreSQL names the transaction that has locked a row in the row itself (``xmax``), and which
backend runs that transaction in ``pg_locks``: so looking takes no lock. SQLite has one writer at
a time, behind the fair lock of its process.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import Error, connection, transaction

from events import staff
from events.errors import LockStays
from events.faults import sqlstate
from events.models import Game, Partition

INSUFFICIENT_PRIVILEGE = "42501"
Held = tuple[str, float]
"""Name of the thread that writes, and for how many seconds it has."""

_TABLES = "('events_partition'::regclass, 'events_checkpoint'::regclass)"
_HOLDERS = f"""
WITH running AS MATERIALIZED (
    SELECT pid, transactionid FROM pg_locks WHERE locktype = 'transactionid' AND granted
), backends AS MATERIALIZED (
    SELECT a.pid, a.backend_start, a.xact_start, a.state, a.application_name, a.usename, a.client_addr, a.query,
        a.wait_event_type, a.wait_event
    FROM pg_stat_activity a WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() AND EXISTS (
        SELECT 1 FROM pg_locks l WHERE l.pid = a.pid AND l.granted AND l.relation IN {_TABLES}
        AND l.mode IN ('RowShareLock', 'RowExclusiveLock', 'ShareLock', 'ExclusiveLock', 'AccessExclusiveLock'))
), waiting AS MATERIALIZED (
    SELECT unnest(pg_blocking_pids(pid)) AS pid FROM pg_stat_activity
    WHERE datname = current_database() AND wait_event_type = 'Lock'
)
SELECT b.*, (SELECT count(*) FROM waiting w WHERE w.pid = b.pid),
    ARRAY(SELECT p.id FROM events_partition p JOIN running r ON r.transactionid = p.xmax
        WHERE r.pid = b.pid ORDER BY 1),
    ARRAY(SELECT c.id FROM events_checkpoint c JOIN running r ON r.transactionid = c.xmax
        WHERE r.pid = b.pid ORDER BY 1)
FROM backends b ORDER BY b.xact_start NULLS LAST
"""  # noqa: S608 - names are ours


@dataclass(frozen=True, kw_only=True)
class Holder:
    """A transaction that holds locks on partitions or checkpoints."""

    pid: int | None  # None: a thread of this process, on SQLite
    started: (
        datetime | None
    )  # of the backend: with the pid it names one connection for ever; None: not ours to see
    since: datetime | None  # its transaction began
    name: str  # of the application or thread
    user: str
    address: str
    doing: str  # active, idle in transaction, ...
    query: str
    waiting: int  # so many others wait for it
    partitions: Sequence[int]  # ids of the rows that it has locked, as far as they can be told
    checkpoints: Sequence[int]


def holders() -> list[Holder]:
    """Return whoever holds such locks, the oldest first; takes no lock itself."""
    return _of_postgres() if connection.vendor == "postgresql" else _of_sqlite()


@transaction.atomic
def end(pid: int, started: datetime, by: str, reason: str) -> Holder:
    """End a connection that holds such locks. What its transaction did is rolled back.

    Raises:
        LockStays: it has ended or let go already (pids are used again: another connection is
            never ended in its place), or the database does not allow it; with what to do.
    """
    found = next((each for each in holders() if (each.pid, each.started) == (pid, started)), None)
    if found is None:
        raise LockStays(f"connection {pid} holds no such lock any more; nothing was ended")
    for game_id in _games_of(found):
        staff.note(
            game_id, "lock.ended", by, pid=pid, application=found.name, reason=reason,
            partitions=len(found.partitions), checkpoints=len(found.checkpoints),
        )  # fmt: skip
    if not _terminate(pid, started):
        raise LockStays(f"connection {pid} has ended by itself; nothing was ended")
    return found


def _terminate(pid: int, started: datetime) -> bool:
    """End this very connection: pid and start are compared in the statement that ends it."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND backend_start = %s"
                " AND datname = current_database() AND pid <> pg_backend_pid()",
                [pid, started],
            )
            row = cursor.fetchone()
    except Error as error:
        if sqlstate(error) != INSUFFICIENT_PRIVILEGE:
            raise
        user = connection.settings_dict["USER"]
        raise LockStays(
            f"the database does not let {user} end connection {pid}, which is another role's. A superuser may:"
            f" SELECT pg_terminate_backend({pid}); or let Clarion: GRANT pg_signal_backend TO {user}"
        ) from error
    return row is not None and bool(row[0])


def _of_postgres() -> list[Holder]:
    with connection.cursor() as cursor:
        cursor.execute(_HOLDERS)
        return [_holder(row) for row in cursor.fetchall()]


def _holder(row: Sequence[Any]) -> Holder:
    pid, started, since, state, name, user, address, query, kind, event, waiting, partitions, checkpoints = (
        row
    )
    waits = f", waits for {kind}: {event}" if kind and state == "active" else ""
    return Holder(
        pid=pid, started=started, since=since, name=name or "unknown", user=user or "", address=str(address or "local"),
        doing=f"{state or 'hidden'}{waits}", query=_shape(query or ""), waiting=waiting, partitions=partitions,
        checkpoints=checkpoints,
    )  # fmt: skip


def _shape(query: str) -> str:
    """Return how a statement begins: enough to know it, and before any value that may be a player's."""
    words = " ".join(query.split())
    return words.split("'", 1)[0].split("(", 1)[0][:120].strip()


def _of_sqlite() -> list[Holder]:
    ask: Callable[[], Held | None] = getattr(connection, "turn_held", lambda: None)
    if (held := ask()) is None:
        return []
    name, seconds = held
    return [
        Holder(
            pid=None, started=None, since=datetime.now(UTC) - timedelta(seconds=seconds), name=name, user="",
            address="this process", doing="writes", query="", waiting=0, partitions=(), checkpoints=(),
        )
    ]  # fmt: skip


def _games_of(holder: Holder) -> list[int]:
    """Return the games whose rows it holds; all of them where that cannot be told."""
    partitions = Partition.objects.filter(pk__in=holder.partitions) | Partition.objects.filter(
        checkpoints__in=holder.checkpoints
    )
    found = sorted(set(partitions.values_list("game_id", flat=True)))
    return found or list(Game.objects.order_by("id").values_list("id", flat=True))
