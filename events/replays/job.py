"""The port between the worker and what a replay does: one small class for each kind."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from events.models import Replay


@dataclass(frozen=True, kw_only=True)
class Stepped:
    """What one step came to; the replay's own counters were raised by the job."""

    read: int  # events read from the log: what the rate limit counts
    over: bool  # nothing is left
    held_since: float | None = (
        None  # when its first checkpoint was locked, by the clock of ``events.replays.hold``
    )
    after_commit: Callable[[], None] | None = None


class Job:
    """Does one kind of replay, in steps of about 20 ms.

    The worker calls ``begin`` once, then ``prepare`` and ``work`` by turns. Between two steps
    everything stands in the replay's row, so a process may end at any instant.
    """

    kind: str
    title: str
    """What staff read, such as "rebuild"."""
    unit: str = "places of the log"
    """What ``done`` and ``total`` count."""
    takes_stream: bool = False
    """Whether it can be narrowed to one stream."""
    takes_end: bool = True
    """Whether it can end before where its hub stands."""

    def targets(self) -> list[str]:
        """Return what staff may begin it for by hand."""
        return []

    def begin(self, replay: Replay) -> None:
        """Find out from where to where it goes: ``bounds``, ``cursor`` and ``total``. Writes nothing else.

        Raises:
            ReplayRefused: it cannot be done as it was asked for.
        """
        raise NotImplementedError

    def prepare(self, replay: Replay) -> Any:
        """Read what the next step needs, outside a transaction. Its own writes must be harmless when repeated."""
        return None

    def work(self, replay: Replay, prepared: Any) -> Stepped:
        """Do the next step in the transaction that holds the replay's row, and move its cursor.

        Locks checkpoints, then what the hub's ``lock`` locks, in this order.
        """
        raise NotImplementedError


_jobs: dict[str, Job] = {}


def register(job: Job) -> None:
    """Add a kind of replay. Registering the same kind again replaces it."""
    _jobs[job.kind] = job


def job_of(replay: Replay) -> Job:
    """Return what does this replay.

    Raises:
        LookupError: this release knows no such kind.
    """
    try:
        return _jobs[replay.kind]
    except KeyError:
        raise LookupError(f"no app has registered replays of kind {replay.kind!r}") from None


def offers() -> list[tuple[str, str]]:
    """Return what staff may begin by hand: (kind:target, title) pairs."""
    return [
        (f"{job.kind}:{target}", f"{job.title}: {target}")
        for job in _jobs.values()
        for target in job.targets()
    ]


def unit_of(replay: Replay) -> str:
    """Return what its progress counts."""
    job = _jobs.get(replay.kind)
    return job.unit if job else Job.unit


def title_of(replay: Replay) -> str:
    """Return what staff read of its kind; the kind itself where this release does not know it."""
    job = _jobs.get(replay.kind)
    return job.title if job else replay.kind
