"""What staff do to replays: start, pause, resume, cancel, change the pace. Each is an event in the log too."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import transaction

from events import staff
from events.models import Game, Replay
from events.models.replays import OPEN, ReplayState
from events.replays.job import job_of
from events.replays.places import Bounds

PAUSABLE = OPEN
RESUMABLE = (ReplayState.PAUSED, ReplayState.FAILED)
CANCELLABLE = (*OPEN, *RESUMABLE)


@transaction.atomic
def start(
    kind: str,
    game: Game,
    *,
    target: str,
    by: str,
    reason: str,
    begins: str = "",
    ends: str = "",
    stream: str = "",
    trial: bool = False,
    rate_limit: int | None = None,
    options: Mapping[str, Any] | None = None,
    bounds: Bounds | None = None,
) -> Replay:
    """Make a replay that workers take up within seconds, and return it.

    Raises:
        ReplayRefused: what was asked for makes no sense; nothing is written.
        LookupError: there is no such kind.
    """
    replay = Replay(
        kind=kind, game=game, target=target, stream=stream, begins=begins, ends=ends, trial=trial, by=by,
        reason=reason, rate_limit=rate_limit, options=dict(options or {}), bounds=dict(bounds or {}),
    )  # fmt: skip
    job_of(replay).begin(replay)
    replay.save()
    _note(replay, "started", by, reason, begins=begins, ends=ends, stream=stream, trial=trial)
    return replay


@transaction.atomic
def pause(rows: Sequence[Replay], by: str, reason: str) -> int:
    """Pause those that wait or run, after their current step; return how many."""
    return _move(rows, PAUSABLE, "paused", by, reason, state=ReplayState.PAUSED, rate=0, pace=0)


def pause_itself(replay: Replay, why: str) -> None:
    """Let a replay stand until staff have seen to something; called by its job, within its step."""
    replay.state, replay.error = ReplayState.PAUSED, why
    _note(replay, "paused", "", why)


@transaction.atomic
def resume(rows: Sequence[Replay], by: str, reason: str) -> int:
    """Let those that are paused or have failed go on from where they stand; return how many."""
    now = datetime.now(UTC)
    fresh = {"tries": 0, "error": "", "due": now, "finished": None, "measured": {}}
    return _move(rows, RESUMABLE, "resumed", by, reason, state=ReplayState.RUNNING, **fresh)


@transaction.atomic
def cancel(rows: Sequence[Replay], by: str, reason: str) -> int:
    """End those that are not over, for good; what they have done stays. Return how many."""
    now = datetime.now(UTC)
    over = {"rate": 0, "pace": 0, "carried": "", "finished": now}
    return _move(rows, CANCELLABLE, "cancelled", by, reason, state=ReplayState.CANCELLED, **over)


@transaction.atomic
def change_rate(row: Replay, limit: int | None, by: str, reason: str) -> bool:
    """Change how many events a second it may read; False when it is over."""
    now = datetime.now(UTC)
    return bool(_move([row], CANCELLABLE, "rate_changed", by, reason, rate_limit=limit, due=now))


def _move(
    rows: Sequence[Replay], when: Collection[str], what: str, by: str, reason: str, **changes: Any
) -> int:
    """Lock, change those in one of these states, note each."""
    ids = [row.pk for row in rows]
    moving = list(Replay.objects.select_for_update().filter(id__in=ids, state__in=when).order_by("id"))
    Replay.objects.filter(id__in=[row.pk for row in moving]).update(**changes)
    for row in moving:
        facts = {"limit": changes["rate_limit"]} if "rate_limit" in changes else {}
        _note(row, what, by, reason, **facts)
    return len(moving)


def _note(replay: Replay, what: str, by: str, reason: str, **facts: Any) -> None:
    staff.note(
        replay.game_id, f"replay.{what}", by, replay=replay.pk, kind=replay.kind, target=replay.target,
        reason=reason, **facts,
    )  # fmt: skip
