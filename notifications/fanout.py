"""Large audiences, worked off page by page in the bulk lane."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from django.db import connection, transaction
from prometheus_client import Counter

from events.faults import is_transient
from events.hubs.bounds import bound
from events.log.logged import LoggedEvent
from events.log.read import one
from notifications import rulebook
from notifications.decisions.projection import NO_STATE, PLAYERS_A_BATCH
from notifications.decisions.views import event_view, player_views
from notifications.decisions.writing import Writer, decided
from notifications.engine import CompiledRule, EventView, Missed, Reached, audience, decide
from notifications.ledger import accounts
from notifications.models import FanOut, Rule
from notifications.push import Change
from players.known import ensure
from players.locks import lock_players

ASIDE_S = 60.0
"""For so long this process leaves an audience alone whose page has failed, so that the others go on."""

log = structlog.get_logger(__name__)
failed = Counter("clarion_fanout_failed_total", "Pages of large audiences that failed; tried again later.")

_aside: dict[int, float] = {}  # row -> until when, in monotonic seconds


@dataclass(frozen=True, kw_only=True)
class Page:
    """The next players of an audience, and what they are decided about with."""

    event: LoggedEvent
    view: EventView
    rule: CompiledRule
    found: Reached | Missed
    keys: Sequence[str]
    replay_id: int | None  # which replay has found it, late


def work_for(seconds: float) -> bool:
    """Work off pages for about so long; True when work is left that nobody else is at.

    A fault that passes ends the turn. What fails for good is set aside, logged and counted.
    """
    end = time.monotonic() + seconds
    left_alone = set(_set_aside())
    while time.monotonic() < end:
        row = _oldest(left_alone)
        if row is None:
            return False
        try:
            if not work_page(row):
                left_alone.add(row.pk)  # whoever works on it goes on with it
        except Exception as error:  # noqa: BLE001 - one audience must not hold up the others
            if is_transient(error):
                log.warning("fanout.transient", error=type(error).__name__)
                return True
            failed.inc()
            name = type(error).__name__  # and no more: the text may carry a player's data
            log.error("fanout.failed", fan_out=row.pk, cursor=row.cursor, error=name)  # noqa: TRY400 - as above
            _aside[row.pk] = time.monotonic() + ASIDE_S
            left_alone.add(row.pk)
    return _oldest(left_alone) is not None


def work_page(row: FanOut) -> bool:
    """Decide about the next page of an audience; False when somebody else is at it, or has been.

    The page is read before its transaction, so that missing players are made outside of it;
    the row, locked again inside, says whether the page is still the next one.
    """
    page = _page(row)
    ids = ensure(row.game_id, page.keys)
    writer, changes = None, list[Change]()
    with transaction.atomic(durable=True):
        bound()
        if not _hold(row):
            return False
        now = datetime.now(UTC)
        if Rule.objects.filter(pk=page.rule.rule_id, enabled=True).exists():
            writer = _decide(page, ids, now)
            changes = writer.write()
            _advance(row, len(page.keys), now)
        else:
            FanOut.objects.filter(pk=row.pk).update(stopped_at=row.cursor, finished=now)
    if writer:
        writer.tell(changes)
    return True


def needed(event_pks: Sequence[int]) -> dict[int, str]:
    """Return which of these events an unfinished audience still reads, and why, as half a sentence."""
    rows = FanOut.objects.filter(event_id__in=event_pks, finished=None)
    said = "its audience of {total} players has been told as far as {cursor}"
    return {row.event_id: said.format(total=row.total, cursor=row.cursor) for row in rows}


def _decide(page: Page, ids: dict[str, int], now: datetime) -> Writer:
    locks = frozenset(ids.values())
    lock_players(locks)
    known = decided([page.event.id], page.keys)
    writer = Writer(now=now, accounts=accounts(locks), decided=known, replay_id=page.replay_id)
    views = player_views(locks)
    for key in page.keys:
        decision = decide(page.rule, page.view, views[ids[key]], NO_STATE, now, reached=page.found)
        writer.note(page.event, decision, ids[key])
    return writer


def _oldest(left_alone: Iterable[int]) -> FanOut | None:
    rows = FanOut.objects.filter(finished=None).exclude(id__in=left_alone)
    return rows.select_related("revision").order_by("id").first()


def _page(row: FanOut) -> Page:
    event = one(row.event_id)
    if event is None:
        raise LookupError(f"event {row.event_id} is not in the log")
    rule, view = rulebook.compiled(row.revision), event_view(event)
    found = audience(rule, view, row.now)
    keys = found.players[row.cursor : min(row.cursor + PLAYERS_A_BATCH, _end(row))]
    return Page(event=event, view=view, rule=rule, found=found, keys=keys, replay_id=row.replay_id)


def _end(row: FanOut) -> int:
    """Return how many players are told: all, or as many as the watermark of a stop says."""
    return row.total if row.stopped_at is None else min(row.total, row.stopped_at)


def _hold(row: FanOut) -> bool:
    """Lock the row; False when somebody else has moved or stopped it meanwhile, or has it now."""
    rows = FanOut.objects.filter(pk=row.pk, cursor=row.cursor, stopped_at=row.stopped_at, finished=None)
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, no_key=True)
    return bool(list(rows.values_list("id")))


def _advance(row: FanOut, count: int, now: datetime) -> None:
    cursor = row.cursor + count
    done = cursor >= _end(row) or not count
    FanOut.objects.filter(pk=row.pk).update(cursor=cursor, finished=now if done else None)


def _set_aside() -> list[int]:
    """Return the rows that are still to be left alone; those whose time is over are forgotten."""
    now = time.monotonic()
    for row in [row for row, until in _aside.items() if until <= now]:
        del _aside[row]
    return list(_aside)
