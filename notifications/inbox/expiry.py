"""The expiry of something unread is a change: devices drop it, and counters stay true."""

from datetime import UTC, datetime

from django.db import transaction

from notifications import ledger
from notifications.inbox.states import counts_as_unread, item_of
from notifications.models import Notification
from notifications.models.inbox import Gone
from notifications.push import publish
from players.locks import lock_players

BATCH = 100


def expire_due(limit: int = BATCH) -> int:
    """Take what has expired while unread out of inboxes; return how many. Call again while it is ``limit``."""
    now = datetime.now(UTC)
    due = Notification.objects.filter(
        expires__lte=now, expires__isnull=False, read=None, archived=None, gone="", notification_class="inbox"
    )
    found = list(due.order_by("expires").values_list("id", "player_id")[:limit])
    if not found:
        return 0
    players = frozenset(player for _, player in found)
    with transaction.atomic(durable=True):
        lock_players(players)
        accounts = ledger.accounts(players)
        rows = list(due.filter(id__in=[row for row, _ in found]).order_by("player_id", "seq"))
        for row in rows:
            account = accounts[row.player_id]
            account.unread -= counts_as_unread(row, account)
            row.gone, row.gone_at, row.seq = Gone.EXPIRED, now, account.raise_head()
            account.items[row.uid] = item_of(row)
        Notification.objects.bulk_update(rows, ["gone", "gone_at", "seq"])
        changed = {player: each for player, each in accounts.items() if each.head != each.began}
        ledger.write(changed)
        changes = [change for account in changed.values() if (change := account.change(now))]
    publish(changes)
    return len(found)
