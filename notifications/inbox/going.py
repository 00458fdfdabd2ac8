"""What leaves an inbox for good: a change of its own, which lowers ``unread`` where it counted."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from notifications import ledger
from notifications.inbox.states import counts_as_unread, item_of
from notifications.ledger import Account
from notifications.models import Notification
from notifications.models.inbox import Gone
from notifications.push import Change


def go(rows: Iterable[Notification], accounts: Mapping[int, Account], why: Gone, now: datetime) -> None:
    """Let these go in the order of their sequences; saves neither them nor the accounts. Players are locked."""
    for row in sorted(rows, key=lambda each: (each.player_id, each.seq)):
        account = accounts[row.player_id]
        account.unread -= counts_as_unread(row, account)
        row.gone, row.gone_at, row.seq = why, now, account.raise_head()
        account.items[row.uid] = item_of(row)


def written(accounts: Mapping[int, Account], now: datetime) -> list[Change]:
    """Write the accounts that have changed; return the hints to publish after commit."""
    changed = {player: each for player, each in accounts.items() if each.head != each.began}
    ledger.write(changed)
    return [change for account in changed.values() if (change := account.change(now))]
