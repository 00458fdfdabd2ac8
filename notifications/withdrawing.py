"""Withdrawing what was said from a payload that staff erase: a job of small steps that survives crashes.

What a device may show goes as ``withdrawn``, a change with a sequence of its own; its row stays
as a tombstone, without words. Rows that no device shows any more only lose their words.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from django.db import connection, transaction

from events import staff
from events.hubs.bounds import bound
from events.hubs.steps import take_steps
from events.log.erasing import Place
from notifications import ledger
from notifications.inbox.going import go, written
from notifications.inbox.states import counts_as_unread
from notifications.ledger import Account
from notifications.models import Notification, Withdrawal
from notifications.models.inbox import Gone
from notifications.push import Change, publish
from players.locks import lock_players

BATCH = 100
AT_ONCE_S = 0.3
"""For so long whoever asked waits for the first of it; workers do the rest."""
NOTHING = {"title": "", "body": "", "data": "{}", "actions": "[]"}


def came_of(event_pks: Sequence[int]) -> int:
    """Return how many notifications these events have made that are still there."""
    return Notification.objects.filter(event_id__in=event_pks).count()


def begin(found: Sequence[Place], by: str, reason: str) -> None:
    """Ask, in the transaction that erases these payloads, for what came of them to be withdrawn."""
    Withdrawal.objects.bulk_create(
        Withdrawal(game_id=place.game_id, event_id=place.id, by=by, reason=reason) for place in found
    )
    transaction.on_commit(_at_once, robust=True)


def _at_once() -> None:
    work_for(AT_ONCE_S)


def work_for(seconds: float) -> bool:
    """Work for about so long; True when work is left. Beat calls it, and whoever drains lanes by age."""
    return take_steps("withdrawing", step, seconds)


def step() -> bool:
    """Withdraw up to 100 notifications; False when nothing waits, or somebody is at it."""
    with transaction.atomic(durable=True):
        bound()
        row = _next()
        if row is None:
            return False
        page = _page(row)
        changes = _withdraw(row, page, datetime.now(UTC)) if page else _finish(row)
    publish(changes)
    return True


def _next() -> Withdrawal | None:
    rows = Withdrawal.objects.filter(finished=None).order_by("id")
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, no_key=True)
    return rows.first()


def _page(row: Withdrawal) -> list[tuple[int, int]]:
    """Return the next notifications of the event, as (id, player's id)."""
    rows = Notification.objects.filter(event_id=row.event_id, id__gt=row.cursor).order_by("id")
    return list(rows.values_list("id", "player_id")[:BATCH])


def _withdraw(withdrawal: Withdrawal, page: Sequence[tuple[int, int]], now: datetime) -> list[Change]:
    """Lock the players first, then read the rows: what is read stays true until commit."""
    players = frozenset(player for _, player in page)
    lock_players(players)
    rows = list(Notification.objects.filter(id__in=[pk for pk, _ in page]))
    accounts = ledger.accounts(players)
    for row in rows:
        for name, nothing in NOTHING.items():
            setattr(row, name, nothing)
    going = [row for row in rows if _is_told(row, accounts[row.player_id], now)]
    go(going, accounts, Gone.WITHDRAWN, now)
    Notification.objects.bulk_update(rows, [*NOTHING, "gone", "gone_at", "seq"])
    withdrawal.cursor = page[-1][0]
    withdrawal.emptied += len(rows)
    withdrawal.withdrawn += len(going)
    withdrawal.save()
    return written(accounts, now)


def _is_told(row: Notification, account: Account, now: datetime) -> bool:
    """Tell whether a device may show it, or a counter has it."""
    return not row.gone and (row.expires is None or row.expires > now or counts_as_unread(row, account))


def _finish(row: Withdrawal) -> list[Change]:
    row.finished = datetime.now(UTC)
    row.save()
    staff.note(
        row.game_id, "notifications.withdrawn", row.by, event=row.event_id, emptied=row.emptied,
        withdrawn=row.withdrawn, reason=row.reason,
    )  # fmt: skip
    return []
