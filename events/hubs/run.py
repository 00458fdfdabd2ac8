"""The loop: claim, read, prepare, and in one transaction apply and move the checkpoint."""

import random
import time
import traceback
from collections.abc import Sequence
from enum import Enum
from functools import partial

import structlog
from django.db import close_old_connections, transaction

from events.errors import StartOver
from events.faults import is_transient
from events.hubs import claim as claims
from events.hubs import metrics, parking
from events.hubs.claim import Claim
from events.hubs.hanging import Stopwatch, passes
from events.hubs.projection import AfterCommit, Hub, Prepared
from events.hubs.registry import hub as registered
from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.log.read import batch as read_batch
from events.stopping import STOPPING

BATCH = {Lane.URGENT: 100, Lane.NORMAL: 100, Lane.BULK: 100}
"""Events read at a time. Transactions stay short, so that urgent never waits behind a long one."""
RUN_S = 2.0
BACKOFF_S = (0.02, 0.5)
"""First and longest wait after a transient fault; each wait is jittered."""

log = structlog.get_logger(__name__)
_owed: set[int] = set()


class Step(Enum):
    """What one step of the loop came to."""

    DONE = "done"
    NOTHING = "nothing"
    LOST = "lost"
    FAILED = "failed"
    FAULT = "fault"


def run(hub_name: str, lane: int, seconds: float = RUN_S, *, yields: bool = True) -> bool:
    """Work off a lane of a hub for about so long; True when work is left.

    Repeated and concurrent calls are harmless. Bulk yields after each batch, unless the caller
    holds up nobody, and a process that was told to end begins no other. Transient faults are
    waited out with jitter within the time; nothing is parked for them.

    Raises:
        UnknownHub: no app registered it.
    """
    hub = registered(hub_name)
    close_old_connections()
    end = time.monotonic() + seconds
    faults = 0
    while time.monotonic() < end and not STOPPING.is_set():
        step = step_once(hub, lane)
        if step is Step.NOTHING:
            return False
        if step is Step.FAULT:
            faults += 1
            time.sleep(_backoff(faults))
        elif lane == Lane.BULK and yields:
            break
    return _waits(hub, lane)


def step_once(hub: Hub, lane: int) -> Step:
    """Do one batch of whichever partition has waited longest.

    The look for work comes after whatever was held before was let go: a hint that meanwhile
    found a row noted has made its run leave, and that run's work is found here.
    """
    claim: Claim | None = None
    watch = Stopwatch()
    try:
        claim = claims.take(hub.name, lane, BATCH[Lane(lane)], _owed)
        if claim is None:  # if somebody has it, perhaps only for a look, see whether work is left
            return Step.LOST if claims.claimable(hub.name, lane) else Step.NOTHING
        watch.on_hang = partial(_settle_hung, claim)
        if claim.exhausted:
            return Step.FAILED if parking.park_exhausted(claim) else Step.LOST
        return _work(hub, claim, watch)
    except StartOver:
        return _lost(claim, watch)
    except Exception as error:
        if claim is None and not is_transient(error):
            raise
        return _failed(claim, error, watch)


def _work(hub: Hub, claim: Claim, watch: Stopwatch | None = None) -> Step:
    started = time.perf_counter()
    events = read_batch(
        claim.partition_id,
        claim.lane,
        claim.position,
        1 if claim.alone else BATCH[Lane(claim.lane)],
        types_of(hub),
    )
    if not events:
        raise StartOver  # somebody moved the checkpoint since
    after, done = _process(hub, claim, events, watch or Stopwatch())
    metrics.batch(claim, done, time.perf_counter() - started)
    for follow_up in after:
        run_after(follow_up, claim.hub, claim.lane)
    return Step.DONE


def _process(
    hub: Hub, claim: Claim, events: Sequence[LoggedEvent], watch: Stopwatch
) -> tuple[list[AfterCommit], int]:
    """Prepare outside, then apply in transaction 2; return what to do after commit and how many events.

    Raises:
        StartOver: the claim was lost; nothing was written.
    """
    live = _live(claim, events)
    with watch.running():
        prepared = [projection.prepare(live) for projection in hub.projections] if live else []
    take = min((each.take for each in prepared), default=0)
    taken = live[:take]
    last = _last_offset(events, live, take)
    with transaction.atomic(durable=True):
        if not claims.hold(claim) or _live(claim, events) != live:  # parked or drained since
            raise StartOver
        if hub.lock and taken:
            hub.lock(frozenset().union(*(each.locks for each in prepared)))
        with watch.running():
            after = apply_all(hub, taken, prepared)
        claims.advance(claim, last, len(taken), sum(event.offset <= last for event in events))
    return after, len(taken)


def _live(claim: Claim, events: Sequence[LoggedEvent]) -> list[LoggedEvent]:
    """Return those that wait behind no parked one. A drain that has not come this far changes nothing here."""
    waiting = claims.parked(claim)
    return [event for event in events if not _waits_behind(event, waiting)]


def apply_all(hub: Hub, events: Sequence[LoggedEvent], prepared: Sequence[Prepared]) -> list[AfterCommit]:
    """Let each projection write its effects, in this transaction; return what comes after commit."""
    if not events:
        return []
    pairs = zip(hub.projections, prepared, strict=True)
    return [follow for projection, ready in pairs if (follow := projection.apply(events, ready))]


def _last_offset(events: Sequence[LoggedEvent], live: Sequence[LoggedEvent], take: int) -> int:
    """Return the offset that this batch reaches: up to the first live event that was not taken."""
    if take >= len(live):
        return events[-1].offset
    upto = live[take].offset
    return max(event.offset for event in events if event.offset < upto)


def _waits_behind(event: LoggedEvent, parked: dict[str, int]) -> bool:
    version = parked.get(event.stream)
    return version is not None and event.version >= version


def _lost(claim: Claim | None, watch: Stopwatch) -> Step:
    """Let somebody else have it: most often that is nobody's fault."""
    assert claim is not None
    if watch.settled:
        return Step.FAILED
    if watch.hung:  # others took over while it hung; they may hang as well, and each try counts
        claims.give_up(claim)
    else:
        _take_back(claim)
    return Step.LOST


def _settle_hung(claim: Claim, stack: traceback.StackSummary) -> None:
    """Count a try that is being ended, and park its event at the last. Called by the watchdog."""
    metrics.hung.labels(claim.hub, Lane(claim.lane).label).inc()
    log.error(
        "hub.hung", hub=claim.hub, lane=Lane(claim.lane).label, partition=claim.partition_id,
        position=claim.position, tries=claim.tries, alone=claim.alone,
        where=[f"{place.filename}:{place.lineno} {place.name}" for place in stack],
    )  # fmt: skip
    if not claim.alone:
        claims.isolate(claim, BATCH[Lane(claim.lane)])
    elif claim.tries < claims.ALONE_TRIES or not parking.park_hung(claim, stack):
        claims.give_up(claim)


def _failed(claim: Claim | None, error: Exception, watch: Stopwatch) -> Step:
    """Sort a fault: transient ones take their try back, poison counts it and is parked at the last."""
    if watch.settled:
        close_old_connections()
        return Step.FAILED
    if passes(error, watch):
        metrics.transient.inc()
        close_old_connections()
        log.warning("hub.transient", hub=claim.hub if claim else None, error=type(error).__name__)
        if claim:
            _take_back(claim)
        return Step.FAULT
    assert claim is not None
    if watch.hung:
        metrics.hung.labels(claim.hub, Lane(claim.lane).label).inc()
        close_old_connections()
    log.error(
        "hub.failed", hub=claim.hub, lane=Lane(claim.lane).label, partition=claim.partition_id,
        position=claim.position, tries=claim.tries, alone=claim.alone, hung=watch.hung,
        error=type(error).__name__,
    )  # fmt: skip
    if claim.alone and claim.tries >= claims.ALONE_TRIES:
        return Step.FAILED if parking.park(claim, error) else Step.LOST
    claims.give_up(claim)
    return Step.FAILED


def _take_back(claim: Claim) -> None:
    try:
        claims.take_back(claim)
    except Exception as error:
        if not is_transient(error):
            raise
        _owed.add(claim.token)  # the database is away: take it back at the next claim


def run_after(follow_up: AfterCommit, hub: str, lane: int) -> None:
    """Run what comes after commit; the work is done, so a failure is only reported."""
    try:
        follow_up()
    except Exception:
        log.exception("hub.after_commit_failed", hub=hub, lane=Lane(lane).label)


def types_of(hub: Hub) -> tuple[str, ...] | None:
    """Return the prefixes that any projection looks at, or None when one looks at all."""
    wanted: set[str] = set()
    for projection in hub.projections:
        if projection.types is None:
            return None
        wanted.update(projection.types)
    return tuple(sorted(wanted))


def _waits(hub: Hub, lane: int) -> bool:
    try:
        return claims.work_waits(hub.name, lane)
    except Exception as error:
        if not is_transient(error):
            raise
        return True


def _backoff(faults: int) -> float:
    first, longest = BACKOFF_S
    return random.uniform(0, min(longest, first * 2**faults))  # noqa: S311 - jitter, no secret
