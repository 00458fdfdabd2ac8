"""The loop of retention: the next step that is due, by one worker at a time, never before urgent work."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from django.db import Error, connection, transaction

from events.faults import is_transient
from events.hubs.bounds import bound
from events.hubs.claim import work_waits
from events.hubs.projection import AfterCommit
from events.hubs.registry import hubs
from events.lanes import Lane
from events.models import Partition, Retention, Sweep

log = structlog.get_logger(__name__)

REST = timedelta(minutes=10)
"""After a step that found nothing more to do."""
IDLE = timedelta(hours=1)
"""Where the game keeps everything."""
NEW_S = 15.0
"""How often a process looks for games that have begun to let go of something."""

Step = Callable[[Sweep, Retention, datetime], "Done"]
"""Does one short step inside the transaction that holds the sweep's row; changes the row, does not save it."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What a step came to."""

    rest: timedelta = timedelta()  # until the next step; none while there is more to do
    after: AfterCommit | None = None


@dataclass(frozen=True, kw_only=True)
class Sweeper:
    """One kind of retention."""

    name: str
    wanted: Callable[[Retention], bool]
    step: Step | None  # None works by itself, on the rows that are made for it here
    by_partition: bool = False


_sweepers: dict[str, Sweeper] = {}
_looked = 0.0


def register_sweeper(sweeper: Sweeper) -> None:
    """Add a kind of retention; rooms register theirs when their app is ready."""
    _sweepers[sweeper.name] = sweeper


def work_for(seconds: float) -> bool:
    """Sweep for about so long, as long as nothing urgent waits; False always: it is never in a hurry.

    Beat calls it, and whoever drains lanes by age. A fault that passes ends the turn.
    """
    end = time.monotonic() + seconds
    try:
        if _time_to_look():
            make_missing()
        for pk in _due():
            while time.monotonic() < end and not urgent_waits() and _guarded(pk):
                pass
    except Error as error:
        if not is_transient(error):
            raise
        log.warning("retention.transient", error=type(error).__name__)
    return False


def _guarded(pk: int) -> bool:
    """Do one step; one that fails for good rests, so that the others go on."""
    try:
        return sweep_once(pk)
    except Exception as error:
        if is_transient(error):
            raise
        log.exception("retention.failed", sweep=pk, error=type(error).__name__)
        Sweep.objects.filter(pk=pk).update(due=datetime.now(UTC) + REST)
        return False


def sweep_once(pk: int) -> bool:
    """Do one step of a sweep; False when it rests now, is not due, or somebody else is at it."""
    with transaction.atomic(durable=True):
        bound()
        sweep = _hold(pk)
        if sweep is None or (sweeper := _sweepers.get(sweep.name)) is None or sweeper.step is None:
            return False
        now = datetime.now(UTC)
        retention = Retention.objects.filter(game_id=sweep.game_id).first()
        wanted = retention is not None and sweeper.wanted(retention)
        done = sweeper.step(sweep, retention, now) if retention and wanted else Done(rest=IDLE)
        sweep.due = now + done.rest
        sweep.save()
    if done.after:
        done.after()
    return not done.rest


def make_missing() -> None:
    """Make the rows of sweeps that a game's choice asks for and that are not there yet."""
    for retention in Retention.objects.all():
        wanted = [sweeper for sweeper in _sweepers.values() if sweeper.wanted(retention)]
        rows = [(sweeper.name, part) for sweeper in wanted for part in _parts(sweeper, retention.game_id)]
        known = set(Sweep.objects.filter(game_id=retention.game_id).values_list("name", "part"))
        Sweep.objects.bulk_create(
            [Sweep(game_id=retention.game_id, name=name, part=part) for name, part in rows
             if (name, part) not in known],
            ignore_conflicts=True,
        )  # fmt: skip


def begin_again(game_id: int) -> None:
    """Have all of a game's sweeps look at once: its choice was changed. Inside the change's transaction."""
    Sweep.objects.filter(game_id=game_id).update(due=datetime.now(UTC))


def urgent_waits() -> bool:
    """Tell whether any hub has urgent work; what is let go of can wait."""
    return any(work_waits(hub.name, Lane.URGENT) for hub in hubs() if Lane.URGENT in hub.lanes)


def _time_to_look() -> bool:
    global _looked  # noqa: PLW0603 - one value for the process
    if time.monotonic() < _looked:
        return False
    _looked = time.monotonic() + NEW_S
    return True


def _parts(sweeper: Sweeper, game_id: int) -> Iterable[int]:
    if not sweeper.by_partition:
        return [0]
    return Partition.objects.filter(game_id=game_id).order_by("id").values_list("id", flat=True)


def _due() -> list[int]:
    names = [sweeper.name for sweeper in _sweepers.values() if sweeper.step]
    rows = Sweep.objects.filter(due__lte=datetime.now(UTC), name__in=names).order_by("due")
    return list(rows.values_list("pk", flat=True)[:100])


def _hold(pk: int) -> Sweep | None:
    rows = Sweep.objects.filter(pk=pk, due__lte=datetime.now(UTC))
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, no_key=True)
    return rows.first()
