"""Working replays off: one short step at a time, one worker at a time, in the pace that staff allow."""

import time
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from django.db import connection, transaction
from prometheus_client import Counter

from events.errors import ReplayRefused
from events.faults import is_transient
from events.hubs.bounds import bound
from events.models import Replay
from events.models.replays import OPEN, ReplayState
from events.replays import hold, pace
from events.replays.job import Stepped, job_of

SHARE_S = 0.1
"""So long a turn beside the bulk lane takes: its own work comes first."""
TRIES = 3
"""So many failures in a row, then it waits for somebody to look."""
AGAIN_S = 5.0
"""Between two tries."""

log = structlog.get_logger(__name__)
read = Counter("clarion_replay_events_total", "Events read again by replays.", ["kind"])
failed = Counter("clarion_replay_failed_total", "Steps of replays that failed.", ["kind"])


def beside_bulk(seconds: float) -> bool:
    """Take a small turn in the bulk lane. Never asks to be called again: beat and the watch come anyway."""
    work_for(min(seconds, SHARE_S))
    return False


def work_for(seconds: float) -> bool:
    """Work replays off by turns for about so long; True when something is left that is due now."""
    end = time.monotonic() + seconds
    elsewhere: set[int] = set()
    while time.monotonic() < end:
        replay = _next(elsewhere)
        if replay is None:
            return False
        if not _attempt(replay):
            elsewhere.add(replay.pk)
    return _next(elsewhere) is not None


def step(replay: Replay) -> bool:
    """Do one step; False when somebody else is at it, has been, or staff have stopped it.

    What the step needs is read before its transaction; ``turn``, read again under the row's
    lock, says whether it is still the next one.
    """
    job = job_of(replay)
    prepared = job.prepare(replay)
    with transaction.atomic(durable=True):
        bound()
        if not take(replay):
            return False
        stepped = job.work(replay, prepared)
        _finish_step(replay, stepped)
    if stepped.held_since is not None:
        hold.measured(replay, stepped.held_since)
    read.labels(replay.kind).inc(stepped.read)
    if stepped.after_commit:
        stepped.after_commit()
    return True


def take(replay: Replay) -> bool:
    """Lock the row; False when it has moved, was stopped or is held."""
    rows = Replay.objects.filter(pk=replay.pk, turn=replay.turn, state__in=OPEN)
    if connection.features.has_select_for_update_skip_locked:
        rows = rows.select_for_update(skip_locked=True, no_key=True)
    found = rows.values("rate_limit", "due").first()
    if found is None:
        return False
    replay.rate_limit, replay.due = found["rate_limit"], found["due"]  # staff may have changed it since
    return True


def _finish_step(replay: Replay, stepped: Stepped) -> None:
    now = datetime.now(UTC)
    replay.turn += 1
    replay.tries = 0
    replay.started = replay.started or now
    replay.advanced = now
    if replay.state in OPEN:  # a job may pause itself
        replay.state = ReplayState.DONE if stepped.over else ReplayState.RUNNING
        replay.error = ""
    if replay.state == ReplayState.DONE:
        replay.finished, replay.carried, replay.done = now, "", replay.total
    pace.measure(replay, stepped.read, now)
    replay.save()


def _next(elsewhere: Collection[int]) -> Replay | None:
    """Return the due replay that has waited longest."""
    due = Replay.objects.filter(state__in=OPEN, due__lte=datetime.now(UTC)).exclude(id__in=elsewhere)
    return due.order_by("due", "id").first()


def _attempt(replay: Replay) -> bool:
    try:
        return step(replay)
    except Exception as error:  # noqa: BLE001 - one replay must not hold up the others
        if is_transient(error):
            log.warning("replay.transient", replay=replay.pk, error=type(error).__name__)
            _put_off(replay)
        else:
            failed.labels(replay.kind).inc()
            name = type(error).__name__  # and no more: the text may carry a player's data
            log.error("replay.failed", replay=replay.pk, kind=replay.kind, error=name)  # noqa: TRY400 - as above
            _count_failure(replay, str(error) if isinstance(error, ReplayRefused) else name)
        return False


def _put_off(replay: Replay) -> None:
    """Leave it alone for some seconds; a database that is away has no row to say so in."""
    _update(replay, due=datetime.now(UTC) + timedelta(seconds=1))


def _count_failure(replay: Replay, what: str) -> None:
    now = datetime.now(UTC)
    over = replay.tries + 1 >= TRIES
    changes: dict[str, Any] = (
        {"state": ReplayState.FAILED, "finished": now, "rate": 0, "pace": 0} if over else {}
    )
    due = now + timedelta(seconds=AGAIN_S)
    _update(replay, tries=replay.tries + 1, error=what[:255], due=due, **changes)


def _update(replay: Replay, **changes: Any) -> None:
    try:
        Replay.objects.filter(pk=replay.pk, turn=replay.turn, state__in=OPEN).update(**changes)
    except Exception as error:
        if not is_transient(error):
            raise
