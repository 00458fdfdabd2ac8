"""Restores and failovers are noticed, and the numbering of players' changes begins anew.

A database that was taken back to an earlier state gives numbers a second time. So each
history has names of its own for its numbering, the games' epochs, and clients that come
with another one start over.

PostgreSQL: system id, timeline and database name the history. A restart keeps all three; a
promotion begins a timeline, a dump that is restored makes a database.
"""

import secrets
from collections.abc import Iterable

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.utils import timezone

from events import log as event_log
from events import outbox
from events.faults import sqlstate
from events.lanes import Lane
from events.models import Game, Lineage
from events.staff import STREAM

IDENTITY = (
    "SELECT (SELECT system_identifier FROM pg_control_system()) || ':' ||"
    # Not pg_control_checkpoint(): after a promotion that still says the old timeline until the first checkpoint.
    " left(pg_walfile_name(pg_current_wal_lsn()), 8) || ':' ||"
    " (SELECT oid FROM pg_database WHERE datname = current_database())"
)
FORBIDDEN = frozenset({"42501", "42883", "0A000"})
"""No right, no such function, not supported: a managed PostgreSQL may keep these to itself."""
RECOVERING = "55000"
"""A standby: nothing can be written there anyway."""
ADVICE = "run manage.py newepoch after a restore or failover"
EPOCH_MAX = 2**31 - 1

_untold: list[str | None] = []
logger = structlog.get_logger(__name__)


def identity() -> str:
    """Return which history this connection leads to, empty where PostgreSQL does not say.

    Raises:
        django.db.Error: the database is away.
    """
    if connection.vendor != "postgresql" or _untold:
        return ""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(IDENTITY)
            return str(cursor.fetchone()[0])
    except DatabaseError as error:
        if sqlstate(error) in FORBIDDEN:
            _untold.append(sqlstate(error))  # nobody asks it again: each time would be an error in its log
            logger.warning("lineage.unknown", why=_untold[0], then=ADVICE)
        elif sqlstate(error) != RECOVERING:
            raise
        return ""


def settle(now: str) -> str:
    """Compare what the database is now with what is written in it; renew all epochs where they differ.

    Of any number of processes exactly one renews: they queue at the row, and the others find it
    settled. Returns the token of the newest renewal: another one than before means that whatever
    a process remembers of the database may be wrong.
    """
    known = Lineage.objects.filter(identity=now).first() or _made(now)
    if known.identity == now:
        return known.token
    with transaction.atomic(durable=True):
        row = _locked()
        if row.identity == now:
            return row.token
        was, row.identity = row.identity, now
        reason = f"the database was restored or failed over: it was {was}, now it is {now}"
        # A connection is being opened here: nothing can be appended now, the sweep does it.
        return _renew(row, Game.objects.all(), "", reason, soon=False)


def renew(games: Iterable[Game], by: str, reason: str) -> None:
    """Renew the epochs of these games: after a restore that the database does not show by itself."""
    with transaction.atomic(durable=True):
        _made("")
        _renew(_locked(), games, by, reason, soon=True)


def token() -> str:
    """Return the token of the newest renewal; empty before the first one."""
    return Lineage.objects.values_list("token", flat=True).first() or ""


def tick() -> int:
    """Count on, and return the number: the data folder is told of it afterwards."""
    _made("")
    Lineage.objects.update(ticks=F("ticks") + 1)
    return Lineage.objects.values_list("ticks", flat=True).get()


def ticks() -> int | None:
    """Return the number that this database has come to; None before its first start."""
    return Lineage.objects.values_list("ticks", flat=True).first()


def _made(now: str) -> Lineage:
    """Return the row; whoever sees a database first writes down what it is."""
    Lineage.objects.bulk_create([Lineage(identity=now)], ignore_conflicts=True)
    return Lineage.objects.get()


def _locked() -> Lineage:
    return Lineage.objects.select_for_update(no_key=True).get()


def _renew(row: Lineage, games: Iterable[Game], by: str, reason: str, *, soon: bool) -> str:
    """Give each game an epoch that no history has had: a counter would come to the same one twice."""
    row.token, row.renewals, row.renewed = secrets.token_hex(16), row.renewals + 1, timezone.now()
    row.save()
    for game in sorted(games, key=lambda each: each.pk):
        was, game.epoch = game.epoch_name, 2 + secrets.randbelow(EPOCH_MAX - 2)
        Game.objects.filter(pk=game.pk).update(epoch=game.epoch)
        outbox.write(
            game_id=game.pk,
            event_id=f"staff:{event_log.new_id()}",
            type="staff.epoch.renewed",
            stream=STREAM,
            data={"by": by, "was": was, "epoch": game.epoch_name, "reason": reason},
            lane=Lane.NORMAL,
            soon=soon,
        )
        logger.warning("epoch.renewed", game=game.slug, was=was, epoch=game.epoch_name, reason=reason)
    return row.token
