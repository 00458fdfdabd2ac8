"""Which notifications and decisions are too old: found by index, from a cursor on, 100 at a time."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import F, Q

from events.models import Retention, Sweep
from events.retention.sweeping import REST, Done, Sweeper
from notifications.models import Decision, Notification
from notifications.retention.leaving import GRACE, leave, remove
from players.locks import lock_players
from players.models import Player

BATCH = 100
PLAYERS = 50
DAILY = timedelta(days=1)
DECISIONS = "decisions"


def leave_by_age(sweep: Sweep, retention: Retention, now: datetime) -> Done:
    """Take what is older than the game keeps out of inboxes; the cursor follows the horizon."""
    rows = _created_before(sweep, now - timedelta(days=retention.notification_days or 0))
    if not rows:
        return Done(rest=REST)
    count, push = leave([pk for pk, _ in rows], now)
    _move(sweep, rows[-1], count)
    return Done(after=push)


def remove_by_age(sweep: Sweep, retention: Retention, now: datetime) -> Done:
    """Remove the rows of what has left inboxes for a week; a pass a day, from the oldest on."""
    rows = _created_before(sweep, now - timedelta(days=retention.notification_days or 0) - GRACE)
    if not rows:
        sweep.after, sweep.position = "", 0
        return Done(rest=DAILY)
    _move(sweep, rows[-1], remove([pk for pk, _ in rows], now))
    return Done()


def keep_newest(sweep: Sweep, retention: Retention, now: datetime) -> Done:
    """Keep the newest in each inbox: a pass over the players a day, in the order of their keys."""
    wanted = retention.notifications or 0
    for player, key in _players(sweep):
        cut = _cut(player, wanted, now)
        rows = _below(player, cut, sweep.position) if cut else []
        if rows:
            pks = [pk for pk, _ in rows]
            count, push = leave(pks, now)
            sweep.taken += count + remove(pks, now)
            sweep.position = rows[-1][1]
            return Done(after=push)
        sweep.after, sweep.position = key, 0
    if Player.objects.filter(game_id=sweep.game_id, key__gt=sweep.after).exists():
        return Done()
    sweep.after = ""
    return Done(rest=DAILY)


def forget_decisions(sweep: Sweep, retention: Retention, now: datetime) -> Done:
    """Remove decisions that are older than the game keeps, and say from when on all are there."""
    before = now - timedelta(days=retention.decision_days or 0)
    rows = Decision.objects.filter(game_id=sweep.game_id, now__lt=before).order_by("now", "id")
    found = list(rows.values_list("pk", "player_id")[:BATCH])
    if not found:
        return Done(rest=REST)
    about = Counter(player for _, player in found if player is not None)
    lock_players(frozenset(about))
    for player, count in about.items():
        Player.objects.filter(pk=player).update(decisions_removed=F("decisions_removed") + count)
    sweep.complete_from = max(before, sweep.complete_from or before)
    sweep.taken += len(found)
    Decision.objects.filter(pk__in=[pk for pk, _ in found]).delete()
    return Done()


def decisions_complete_from(game_id: int, *, hold: bool = False) -> datetime | None:
    """Return from when on every event has its decisions; None when none was ever removed.

    An event that was recorded earlier may have been decided without trace: to decide it
    again would tell its players twice. With ``hold`` (inside a transaction) it stays so
    until the transaction ends.
    """
    rows = Sweep.objects.filter(game_id=game_id, name=DECISIONS)
    if hold and connection.features.has_select_for_update:
        rows = rows.select_for_update(no_key=True)
    row = rows.first()
    return row.complete_from if row else None


Row = tuple[int, datetime]


def _created_before(sweep: Sweep, before: datetime) -> list[Row]:
    """Return the next (id, created) after the cursor, in the order of the index (game, created, id)."""
    rows = Notification.objects.filter(game_id=sweep.game_id, created__lt=before)
    if sweep.after:
        at = datetime.fromisoformat(sweep.after)
        rows = rows.filter(Q(created__gt=at) | Q(id__gt=sweep.position), created__gte=at)
    return list(rows.order_by("created", "id").values_list("id", "created")[:BATCH])


def _move(sweep: Sweep, last: Row, count: int) -> None:
    sweep.position, sweep.after = last[0], last[1].isoformat()
    sweep.taken += count


def _players(sweep: Sweep) -> Sequence[tuple[int, str]]:
    rows = Player.objects.filter(game_id=sweep.game_id, key__gt=sweep.after)
    return list(rows.order_by("key").values_list("id", "key")[:PLAYERS])


def _cut(player_id: int, wanted: int, now: datetime) -> int | None:
    """Return the number of the oldest that stays; None where there are not more."""
    rows = Notification.objects.filter(player_id=player_id, gone="", archived=None)
    shown = rows.exclude(notification_class="live").filter(Q(expires=None) | Q(expires__gt=now))
    return shown.order_by("-number").values_list("number", flat=True)[wanted - 1 : wanted].first()


def _below(player_id: int, cut: int, after: int) -> list[tuple[int, int]]:
    rows = Notification.objects.filter(player_id=player_id, number__gt=after, number__lt=cut)
    return list(rows.order_by("number").values_list("id", "number")[:BATCH])


def _kept_by(name: str) -> Callable[[Retention], bool]:
    return lambda retention: getattr(retention, name) is not None


SWEEPERS = (
    Sweeper(name="inboxes by age", wanted=_kept_by("notification_days"), step=leave_by_age),
    Sweeper(name="old notifications", wanted=_kept_by("notification_days"), step=remove_by_age),
    Sweeper(name="inboxes by number", wanted=_kept_by("notifications"), step=keep_newest),
    Sweeper(name=DECISIONS, wanted=_kept_by("decision_days"), step=forget_decisions),
)
