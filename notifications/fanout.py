"""Large audiences, worked off page by page in the bulk lane."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog
from django.db import connection, transaction

from events.faults import is_transient
from events.log.read import one
from notifications import rulebook
from notifications.decisions.projection import NO_STATE, PLAYERS_A_BATCH
from notifications.decisions.views import event_view, player_views
from notifications.decisions.writing import Writer
from notifications.engine import audience, decide
from notifications.ledger import accounts
from notifications.models import FanOut
from notifications.push import Change, publish
from players.known import ensure
from players.locks import lock_players

log = structlog.get_logger(__name__)


def has_work() -> bool:
    """Tell whether any audience is still being worked off."""
    return FanOut.objects.filter(finished=None).exists()


def work_for(seconds: float) -> bool:
    """Work off pages for about so long; True when work is left. A fault that passes ends the turn."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if not work_page():
                return False
        except Exception as error:
            if not is_transient(error):
                raise
            log.warning("fanout.transient", error=type(error).__name__)
            return True
    return has_work()


def work_page() -> bool:
    """Work off one page of the oldest audience that nobody else works on; False when there is none.

    The page is read before its transaction, so that missing players are made outside of it;
    the row, locked again inside, says whether the page is still the next one.
    """
    row = FanOut.objects.filter(finished=None).order_by("id").select_related("revision").first()
    if row is None:
        return False
    keys, event, rule, found = _page(row)
    ids = ensure(row.game_id, keys)
    changes: list[Change] = []
    with transaction.atomic(durable=True):
        if not _hold(row):
            return True
        locks = frozenset(ids.values())
        lock_players(locks)
        now = datetime.now(UTC)
        writer, views = Writer(now=now, accounts=accounts(locks)), player_views(locks)
        for key in keys:
            view = views[ids[key]]
            writer.note(event, decide(rule, event_view(event), view, NO_STATE, now, reached=found), ids[key])
        changes = writer.write()
        _raise_cursor(row, len(keys), now)
    publish(changes)
    return True


def _page(row: FanOut):  # type: ignore[no-untyped-def] # noqa: ANN202 - four things of the same page
    event = one(row.event_id)
    assert event is not None
    rule = rulebook.compiled(row.revision)
    found = audience(rule, event_view(event), row.now)
    end = min(row.cursor + PLAYERS_A_BATCH, row.total if row.stopped_at is None else row.stopped_at)
    keys: Sequence[str] = found.players[row.cursor : end]
    return keys, event, rule, found


def _hold(row: FanOut) -> bool:
    """Lock the row; False when somebody else has moved it meanwhile, or has it now."""
    rows = FanOut.objects.filter(pk=row.pk, cursor=row.cursor, stopped_at=row.stopped_at, finished=None)
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, no_key=True)
    return bool(list(rows.values_list("id")))


def _raise_cursor(row: FanOut, count: int, now: datetime) -> None:
    cursor = row.cursor + count
    end = row.total if row.stopped_at is None else min(row.total, row.stopped_at)
    FanOut.objects.filter(pk=row.pk).update(
        cursor=cursor, finished=now if cursor >= end or not count else None
    )
