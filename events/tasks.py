"""Celery's doors to the events room: wake-ups without payload, and sweeps."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from celery import shared_task

from events import heartbeats, hints, outbox, pressure, storage
from events.hubs import progress
from events.hubs.claim import make_missing, work_waits
from events.hubs.letters import work as letters
from events.hubs.projection import Hub
from events.hubs.registry import bulk_work, hubs
from events.hubs.run import run
from events.lanes import Lane
from events.log import witnesses
from events.replays import work
from events.retention import exporting, leftovers, sweeping

BULK_WORK_S = 0.5
REPLAYS_S = 2.0
LETTERS_S = 1.0
TURN_S = 1.0


@shared_task(name="events.run_hub", ignore_result=True)
def run_hub(hub: str, lane: int) -> None:
    """Work off one lane of a hub for about 2 s; if work is left, queue the same again."""
    more = run(hub, lane)
    if lane == Lane.BULK:
        left = [work(BULK_WORK_S) for work in bulk_work()]  # each gets its turn
        more = more or any(left)
    if more:
        hints.wake(hub, lane)


@shared_task(name="events.sweep", ignore_result=True)
def sweep() -> None:
    """Find what a lost hint or a crash has left: hubs with work, new partitions, outbox rows.

    Each part is done whatever the others come to; the first fault is raised when all had their
    turn, and counts as no sweep.
    """
    parts = [partial(_wake, each) for each in hubs()]
    faults = _faults([*parts, progress.settle, pressure.standing, witnesses.take])
    if not faults:
        faults = _faults([lambda: heartbeats.beat(heartbeats.SWEEP, datetime.now(UTC))])
    faults += _faults([outbox.flush])  # last: a log that is not available must not keep the hubs asleep
    if faults:
        raise faults[0]


def _wake(hub: Hub) -> None:
    make_missing(hub.name, hub.lanes)
    for lane in hub.lanes:
        if work_waits(hub.name, lane):
            hints.wake(hub.name, lane)


def _faults(parts: Sequence[Callable[[], object]]) -> list[Exception]:
    """Do each part; return what was raised."""
    found: list[Exception] = []
    for part in parts:
        try:
            part()
        except Exception as fault:  # noqa: BLE001 - it is raised when the others had their turn
            found.append(fault)
    return found


@shared_task(name="events.sample_storage", ignore_result=True)
def sample_storage() -> None:
    """Look at the database's size, once an hour."""
    storage.sample()


@shared_task(name="events.work_replays", ignore_result=True)
def work_replays() -> None:
    """Work replays off for about two seconds; beat comes again before long."""
    work.work_for(REPLAYS_S)


@shared_task(name="events.retry_letters", ignore_result=True)
def retry_letters() -> None:
    """Retry dead letters that are due for about a second. In a child: some of them end their process."""
    letters.work_for(LETTERS_S)


@shared_task(name="events.retain", ignore_result=True)
def retain() -> None:
    """Export what goes, and let go of what games do not keep, for about a second each."""
    exporting.work_for(TURN_S)
    sweeping.work_for(TURN_S)


@shared_task(name="events.tidy", ignore_result=True)
def tidy() -> None:
    """Remove rows that only mattered for a while, for about a second."""
    leftovers.sweep_for(TURN_S)
