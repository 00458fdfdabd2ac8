"""Taking notifications out of inboxes, then their rows out of the table, under the players' locks.

First a notification that a device may show goes as ``expired``: a change with a sequence of
its own, which lowers ``unread`` where it counted. A week later its row goes. Who was away
for longer resumes from before a change that nobody can tell any more, and is told ``reset``.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from django.db.models import F

from events.hubs.projection import AfterCommit
from notifications import ledger
from notifications.inbox.going import go, written
from notifications.inbox.states import counts_as_unread
from notifications.ledger import Account
from notifications.models import Notification
from notifications.models.inbox import Gone
from notifications.push import publish
from players.locks import lock_players
from players.models import Player

GRACE = timedelta(days=7)
"""For so long the row of what is gone stays, so that devices which were away are told."""


def leave(pks: Sequence[int], now: datetime) -> tuple[int, AfterCommit | None]:
    """Take these out of their inboxes, where they are in one; return how many were, and the push."""
    rows, accounts = _locked(pks)
    going = [row for row in rows if shown(row, now) or counts_as_unread(row, accounts[row.player_id])]
    go(going, accounts, Gone.EXPIRED, now)
    Notification.objects.bulk_update(going, ["gone", "gone_at", "seq"])
    changes = written(accounts, now)
    return len(going), partial(publish, changes) if changes else None


def remove(pks: Sequence[int], now: datetime) -> int:
    """Remove the rows of those that no device shows any more since a week; return how many went."""
    rows, accounts = _locked(pks)
    going = [row for row in rows if removable(row, accounts[row.player_id], now)]
    for player, seq in _newest(going).items():
        Player.objects.filter(pk=player, forgotten__lt=seq).update(forgotten=seq)
    for player, count in Counter(row.player_id for row in going).items():
        Player.objects.filter(pk=player).update(removed=F("removed") + count)
    Notification.objects.filter(pk__in=[row.pk for row in going]).delete()
    return len(going)


def shown(row: Notification, now: datetime) -> bool:
    """Tell whether it is in its player's inbox now. A reward that waits to be claimed is never let go of."""
    if row.notification_class == "live" or row.gone or row.archived or _waits(row):
        return False
    return row.expires is None or row.expires > now


def removable(row: Notification, account: Account, now: datetime) -> bool:
    """Tell whether its row may go: no device shows it, no counter has it, and whoever was away was told."""
    if shown(row, now) or _waits(row) or counts_as_unread(row, account):
        return False
    since = (row.gone_at if row.gone else row.archived or row.expires) or row.created
    return since < now - GRACE


def _waits(row: Notification) -> bool:
    return row.notification_class == "reward" and row.claimed is None and not row.gone


def _newest(rows: Iterable[Notification]) -> dict[int, int]:
    """Return the highest sequence of each player that cannot be told any more; live ones are told to nobody late."""
    newest: dict[int, int] = {}
    for row in rows:
        if row.notification_class != "live":
            newest[row.player_id] = max(row.seq, newest.get(row.player_id, 0))
    return newest


def _locked(pks: Sequence[int]) -> tuple[list[Notification], Mapping[int, Account]]:
    """Lock the players first, then read the rows: what is read stays true until commit."""
    players = frozenset(Notification.objects.filter(pk__in=pks).values_list("player_id", flat=True))
    lock_players(players)
    rows = list(Notification.objects.filter(pk__in=pks))
    return rows, ledger.accounts(players)
