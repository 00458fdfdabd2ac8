"""Claims: who may work on one lane of one partition, and what was noted before the work.

A claim is the lock on the checkpoint's row inside one transaction. Work takes two of
them: the first notes the try, the second does the work and moves the checkpoint. Between
them the note's random number says who may go on.
"""

import os
import secrets
import socket
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection, transaction
from django.db.models import F

from events.hubs import patience
from events.hubs.bounds import BOUNDS, LAZY, one_of
from events.log.read import count_of_batch, lane_head_column
from events.models import Checkpoint, Partition

BATCH_TRIES = 2
"""So many tries with the batch, then its events one at a time. Later ones are under no suspicion: one at a time they
would pile up."""
ALONE_TRIES = 3
"""So many tries with one event alone, then it is parked."""


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One try: which checkpoint, from where, the how manieth."""

    checkpoint_id: int
    partition_id: int
    hub: str
    lane: int
    position: int
    tries: int  # this one included
    alone: bool
    token: int

    @property
    def exhausted(self) -> bool:
        """Tell whether all tries were used up before this one: they ended with their processes."""
        return self.alone and self.tries > ALONE_TRIES


def take(hub: str, lane: int, batch: int, owed: set[int]) -> Claim | None:
    """Transaction 1: claim a ready checkpoint and note the try; None when there is nothing to claim.

    ``owed`` holds tokens of tries that this process could not take back when they met a
    transient fault; such a try is not counted.
    """
    if _can_skip():
        fresh = _take_fresh(hub, lane)
        if fresh is None or isinstance(fresh, Claim):
            return fresh
    elif not claimable(hub, lane):  # SQLite's transactions wait for each other: none is begun for nothing
        return None
    with _lazily(), transaction.atomic(durable=True):
        row = _ready(hub, lane)
        if row is None:
            return None
        checkpoint_id, partition_id, position, noted_position, tries, noted_by, alone_left, noted_at = row
        tries = tries if noted_position == position else 0
        if noted_by in owed:
            owed.discard(noted_by)
            tries = max(0, tries - 1)
        if not alone_left and tries >= BATCH_TRIES:
            alone_left, tries = max(1, count_of_batch(partition_id, lane, position, batch, noted_at)), 0
        claim = Claim(
            checkpoint_id=checkpoint_id,
            partition_id=partition_id,
            hub=hub,
            lane=lane,
            position=position,
            tries=tries + 1,
            alone=alone_left > 0,
            token=secrets.randbits(62),
        )
        _note(claim, alone_left)
    return claim


def hold(claim: Claim) -> bool:
    """Bound transaction 2 and lock the checkpoint again; False when it is no longer this try's to finish.

    It waits for the lock. Whoever looks for work locks a noted row for a moment before it finds
    that the row is taken (PostgreSQL locks first, then checks again); a claim that gave way to
    that would be lost for nothing, and its partition left alone for a second.
    """
    lock = " FOR NO KEY UPDATE" if connection.features.has_select_for_update else ""
    row = one_of(
        f"SELECT position, noted_by FROM events_checkpoint WHERE id = %s AND NOT paused{lock}",  # noqa: S608 - ours
        [claim.checkpoint_id],
        first=BOUNDS,
    )
    return row is not None and tuple(row) == (claim.position, claim.token)


def advance(claim: Claim, offset: int, count: int, passed: int) -> None:
    """Move the checkpoint to an offset and clear the note, in transaction 2.

    ``count`` events were processed; ``passed`` is how many of the lane lie between the old
    place and the new one, those that were parked or wait behind a parked one included.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_checkpoint SET position = %s, advanced = %s, processed = processed + %s,"
            " passed = passed + %s, noted_position = NULL, noted_tries = 0, noted_by = NULL, noted_at = NULL,"
            " alone_left = CASE WHEN alone_left > %s THEN alone_left - %s ELSE 0 END WHERE id = %s",
            [offset, _moment(datetime.now(UTC)), count, passed, count, count, claim.checkpoint_id],
        )


def take_back(claim: Claim) -> None:
    """Uncount a try that ended without judging its events: by a fault that passes, or because it lost the row.

    Others may have at the row at once, unless somebody has it already: then only the count goes down.
    """
    rows = Checkpoint.objects.filter(id=claim.checkpoint_id, noted_position=claim.position, noted_tries__gt=0)
    fewer = F("noted_tries") - 1
    if not rows.filter(noted_by=claim.token).update(noted_tries=fewer, noted_at=None):
        rows.update(noted_tries=fewer)


def give_up(claim: Claim) -> None:
    """Keep a failed try counted, and let others (or the next try) at the row at once."""
    Checkpoint.objects.filter(id=claim.checkpoint_id, noted_by=claim.token).update(noted_at=None)


def isolate(claim: Claim, batch: int) -> None:
    """Let the events of a batch be tried one at a time from now on: one of them will not pass by itself."""
    left = max(1, count_of_batch(claim.partition_id, claim.lane, claim.position, batch))
    Checkpoint.objects.filter(id=claim.checkpoint_id, noted_by=claim.token).update(
        alone_left=left, noted_tries=0, noted_at=None
    )


def work_waits(hub: str, lane: int) -> bool:
    """Tell whether any checkpoint of this hub and lane is behind its lane's head. Locks nothing."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_waiting(lane)} LIMIT 1", [hub, lane])
        return cursor.fetchone() is not None


def claimable(hub: str, lane: int) -> bool:
    """Tell whether there is work that nobody has noted as theirs. Locks nothing."""
    with connection.cursor() as cursor:
        cursor.execute(f"{_waiting(lane)} {_FREE} LIMIT 1", [hub, lane, *_left_alone_until()])
        return cursor.fetchone() is not None


def standing(lane: int) -> list[tuple[str, int, int]]:
    """Return (hub, checkpoint id, position) of all checkpoints of a lane that have work. Locks nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.hub, c.id, c.position FROM events_checkpoint c JOIN events_partition p"  # noqa: S608 - our column
            f" ON p.id = c.partition_id WHERE c.lane = %s AND NOT c.paused AND p.{lane_head_column(lane)} > c.position",
            [lane],
        )
        return list(cursor.fetchall())


def make_missing(hub: str, lanes: Iterable[int]) -> None:
    """Make the checkpoints that a hub lacks: new games and new hubs start at the log's beginning."""
    followed = tuple(lanes)
    known = set(Checkpoint.objects.filter(hub=hub).values_list("partition_id", "lane"))
    Checkpoint.objects.bulk_create(
        [
            Checkpoint(
                hub=hub, partition=partition, lane=lane, joined=getattr(partition, lane_head_column(lane))
            )
            for partition in Partition.objects.order_by("id")
            for lane in followed
            if (partition.pk, lane) not in known
        ],
        ignore_conflicts=True,
    )


def parked(claim: Claim) -> dict[str, int]:
    """Return the parked streams of this claim's lane, with the version from which each waits."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT stream, version FROM events_deadletter"
            " WHERE hub = %s AND partition_id = %s AND lane = %s AND resolved IS NULL",
            [claim.hub, claim.partition_id, claim.lane],
        )
        return dict(cursor.fetchall())


Fresh = tuple[int, int, int, int | None]
Ready = tuple[int, int, int, int | None, int, int | None, int, datetime | str | None]
_HOST = socket.gethostname()[:100]
_FREE = (
    "AND (c.noted_at IS NULL OR c.noted_position <> c.position"
    " OR c.noted_at < CASE WHEN c.alone_left > 0 THEN %s WHEN c.noted_tries > 1 THEN %s ELSE %s END)"
)


def _waiting(lane: int) -> str:
    """Return the SELECT of checkpoints that are behind; its parameters are hub and lane."""
    return (
        "SELECT c.id, c.partition_id, c.position, c.noted_position, c.noted_tries, c.noted_by, c.alone_left,"  # noqa: S608 - our column
        " c.noted_at FROM events_checkpoint c JOIN events_partition p ON p.id = c.partition_id"
        f" WHERE c.hub = %s AND c.lane = %s AND NOT c.paused AND p.{lane_head_column(lane)} > c.position"
    )


def _take_fresh(hub: str, lane: int) -> Claim | Fresh | None:
    """Claim and note in one round trip whoever waited longest, unless something was noted there before.

    Returns the row when something was: then it takes a transaction to judge it. PostgreSQL only.
    """
    token = secrets.randbits(62)
    row: Fresh | None = one_of(
        f"WITH ready AS ({_waiting(lane)} {_FREE} ORDER BY c.advanced LIMIT 1 FOR NO KEY UPDATE OF c SKIP LOCKED),"  # noqa: S608 - ours
        " noted AS (UPDATE events_checkpoint c SET noted_position = r.position, noted_tries = 1, noted_by = %s,"
        " noted_at = %s, holder = %s FROM ready r WHERE c.id = r.id AND r.alone_left = 0"
        " AND r.noted_position IS DISTINCT FROM r.position RETURNING c.id)"
        " SELECT r.id, r.partition_id, r.position, n.id FROM ready r LEFT JOIN noted n ON n.id = r.id",
        [hub, lane, *_left_alone_until(), token, _moment(datetime.now(UTC)), holder()],
        first=LAZY,
    )
    if row is None or row[3] is None:
        return row
    return Claim(
        checkpoint_id=row[0],
        partition_id=row[1],
        hub=hub,
        lane=lane,
        position=row[2],
        tries=1,
        alone=False,
        token=token,
    )


def _ready(hub: str, lane: int) -> Ready | None:
    """Lock and return a checkpoint with work, those first that waited longest."""
    lock = " FOR NO KEY UPDATE OF c SKIP LOCKED" if _can_skip() else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{_waiting(lane)} {_FREE} ORDER BY c.advanced LIMIT 1{lock}", [hub, lane, *_left_alone_until()]
        )
        row: Ready | None = cursor.fetchone()
    return row


def _left_alone_until() -> tuple[datetime | str | None, ...]:
    now, ours = datetime.now(UTC), patience.ours()
    return tuple(_moment(now - each) for each in (ours.alone, ours.again, ours.first))


def holder() -> str:
    """Name this process as staff would look for it: host:pid."""
    return f"{_HOST}:{os.getpid()}"


def _note(claim: Claim, alone_left: int) -> None:
    """Note the try. On PostgreSQL its commit is lazy (see ``_lazily``), said in the same round trip."""
    lazy = LAZY if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"{lazy} UPDATE events_checkpoint SET noted_position = %s, noted_tries = %s, noted_by = %s,"  # noqa: S608 - ours
            " noted_at = %s, alone_left = %s, holder = %s WHERE id = %s",
            [
                claim.position,
                claim.tries,
                claim.token,
                _moment(datetime.now(UTC)),
                alone_left,
                holder(),
                claim.checkpoint_id,
            ],
        )


def _lazily() -> AbstractContextManager[None]:
    """Let the note be lost with the machine: that only means that a try is not counted."""
    relaxed: Callable[[], AbstractContextManager[None]] = getattr(
        connection, "relaxed_durability", nullcontext
    )
    return relaxed()


def _moment(moment: datetime) -> datetime | str | None:
    """Return a time as this database's raw cursors take it."""
    return connection.ops.adapt_datetimefield_value(moment)


def _can_skip() -> bool:
    """SQLite drops SKIP LOCKED without a word; there BEGIN IMMEDIATE has locked everything."""
    return connection.features.has_select_for_update_skip_locked
