"""The expiry of something unread is a change: devices drop it, and counters stay true."""

import time
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog
from django.db import Error, transaction
from django.db.models import QuerySet

from events.faults import is_transient
from events.hubs.bounds import bound
from notifications import ledger
from notifications.inbox.going import go, written
from notifications.inbox.states import counts_as_unread
from notifications.ledger import Account
from notifications.models import Notification
from notifications.models.inbox import Gone
from notifications.push import Change, publish
from players.locks import lock_players

BATCH = 100

log = structlog.get_logger(__name__)


def work_for(seconds: float) -> bool:
    """Sweep for about so long; True when work is left. Beat calls it, and whoever drains lanes by age.

    A fault that passes ends the turn; the next one comes within seconds.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if expire_due() < BATCH:
                return False
        except Error as error:
            if not is_transient(error):
                raise
            log.warning("expiry.transient", error=type(error).__name__)
            return False
    return True


def expire_due(limit: int = BATCH) -> int:
    """Take what has expired while unread out of inboxes; return how many rows were looked at.

    Call again while it is ``limit``. What a mark has read before it expired is noted as read,
    and is no change: nothing that a device shows is different, and the next sweep passes it by.
    """
    now = datetime.now(UTC)
    found = list(_due(now).order_by("expires").values_list("id", "player_id")[:limit])
    if not found:
        return 0
    players = frozenset(player for _, player in found)
    with transaction.atomic(durable=True):
        bound()
        lock_players(players)
        accounts = ledger.accounts(players)
        changes = _expire(_due(now).filter(id__in=[row for row, _ in found]), accounts, now)
    publish(changes)
    return len(found)


def _due(now: datetime) -> "QuerySet[Notification]":
    return Notification.objects.filter(
        expires__lte=now, expires__isnull=False, read=None, archived=None, gone="", notification_class="inbox"
    )


def _expire(due: Iterable[Notification], accounts: dict[int, Account], now: datetime) -> list[Change]:
    rows = list(due)
    unread = [row for row in rows if counts_as_unread(row, accounts[row.player_id])]
    go(unread, accounts, Gone.EXPIRED, now)
    for row in rows:
        if not row.gone:
            row.read = accounts[row.player_id].read_at or now
    Notification.objects.bulk_update(rows, ["gone", "gone_at", "seq", "read"])
    return written(accounts, now)
