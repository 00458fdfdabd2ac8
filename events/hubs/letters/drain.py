"""Draining: a dead letter's events are worked off in order, one short transaction each, until none waits.

The letter's version moves in the transaction that processes the event there, under the
checkpoint's lock; so a crash anywhere repeats nothing. The transaction that sees that
nothing is left resolves the letter under the same lock; so the live run goes on with the
next event, without a gap or a double. A try is noted before its work, with the time of the
retry after it; an event that ends the process is counted like any that fails.
"""

import secrets
import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum
from functools import partial

import structlog
from django.db import close_old_connections, transaction
from django.db.models import F

from events.errors import LetterGone, StartOver
from events.hubs import run as live
from events.hubs.bounds import bound
from events.hubs.hanging import Stopwatch, passes
from events.hubs.letters import counting, waiting
from events.hubs.letters.failing import Failure, died, failure, hung
from events.hubs.letters.holding import Held, hold
from events.hubs.letters.schedule import next_retry
from events.hubs.projection import AfterCommit, Hub, Prepared
from events.hubs.registry import hub as registered
from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.log.read import of_stream
from events.models import Checkpoint, DeadLetter, LetterStep

LEFT_ALONE = timedelta(seconds=30)
"""For so long a noted letter is left to whoever noted it. Correctness does not hang on it."""
AGAIN_SOON = timedelta(seconds=15)
"""After a fault that passes, or while the lane is paused."""

log = structlog.get_logger(__name__)
_owed: set[int] = set()


class Came(Enum):
    """What a drain came to."""

    RESOLVED = "resolved"
    WORKED = "worked"  # its time is over, more waits; it is due again at once
    FAILED = "failed"
    FAULT = "fault"  # one that passes; it is due again soon
    LOST = "lost"  # somebody else is at it, or was, or the lane is paused


@dataclass(kw_only=True)
class Turn:
    """One try with one letter."""

    letter_id: int
    hub: Hub
    lane: int
    version: int  # where it stands; moves with each event
    token: int
    by: str
    events: int = 0  # worked off so far
    watch: Stopwatch = field(default_factory=Stopwatch)


def drain(letter_id: int, seconds: float) -> tuple[Came, int]:
    """Work off what waits behind a letter for about so long; return what it came to and how many events.

    Concurrent calls are harmless: the note's random number says who may go on.

    Raises:
        UnknownHub: no app registers the letter's hub any more.
    """
    close_old_connections()
    turn = _begin(letter_id)
    if turn is None:
        return Came.LOST, 0
    turn.watch.on_hang = partial(_settle_hung, turn)
    came = _work(turn, time.monotonic() + seconds)
    counting.retried.labels(turn.hub.name, came.value).inc()
    return came, turn.events


def _begin(letter_id: int) -> Turn | None:
    """Note the try; None when somebody else is at it."""
    now = datetime.now(UTC)
    try:
        with transaction.atomic(durable=True):
            bound()
            held = hold(letter_id)
            letter, hub = held.letter, registered(held.letter.hub)
            if held.paused:
                DeadLetter.objects.filter(pk=letter_id).update(next_retry=now + AGAIN_SOON)
                return None
            if letter.noted_by is not None and letter.noted_at and letter.noted_at > now - LEFT_ALONE:
                return None
            _settle_before(letter)
            return _note(letter, hub, now)
    except LetterGone:
        return None


def _settle_before(letter: DeadLetter) -> None:
    """Judge a try that was noted and never ended: its process did."""
    if letter.noted_by in _owed:
        _owed.discard(letter.noted_by)
        letter.retries = max(0, letter.retries - 1)
    elif letter.noted_by is not None:
        _tell(letter, died(letter.hub), LetterStep.Outcome.ENDED)


def _note(letter: DeadLetter, hub: Hub, now: datetime) -> Turn:
    turn = Turn(
        letter_id=letter.pk,
        hub=hub,
        lane=letter.lane,
        version=letter.version,
        token=secrets.randbits(62),
        by=letter.asked_by,
    )
    letter.next_retry = next_retry(now, letter.first_failed, letter.retries)
    letter.retries += 1
    letter.noted_by, letter.noted_at, letter.asked_by = turn.token, now, ""
    letter.save()
    return turn


def _work(turn: Turn, end: float) -> Came:
    try:
        while not _step(turn):
            if time.monotonic() >= end:
                _rest(turn)
                return Came.WORKED
    except (StartOver, LetterGone) as error:
        return _lost(turn, error)
    except Exception as error:  # noqa: BLE001 - poison may raise anything
        return _judge(turn, error)
    return Came.RESOLVED


def _lost(turn: Turn, error: Exception) -> Came:
    """Let somebody else have it, unless it hung: then others took over, and may hang as well."""
    if turn.watch.settled:
        return Came.FAILED
    if turn.watch.hung:
        return _fail(turn, error)
    _take_back(turn)
    return Came.LOST


def _judge(turn: Turn, error: Exception) -> Came:
    """Tell poison from a fault that passes."""
    if turn.watch.settled:
        close_old_connections()
        return Came.FAILED
    if passes(error, turn.watch):
        log.warning("letter.transient", hub=turn.hub.name, error=type(error).__name__)
        close_old_connections()
        _take_back(turn)
        return Came.FAULT
    return _fail(turn, error)


def _step(turn: Turn) -> bool:
    """Work off the next event; True when nothing is left, and the letter is resolved.

    Raises:
        StartOver: somebody has skipped, or has taken the letter over; nothing was written.
    """
    letter = DeadLetter.objects.get(pk=turn.letter_id)
    position = Checkpoint.objects.values_list("position", flat=True).get(
        hub=letter.hub, partition_id=letter.partition_id, lane=letter.lane
    )
    events = of_stream(
        letter.game_id, letter.stream, lane=letter.lane, version=turn.version, upto=position, limit=1,
        types=live.types_of(turn.hub),
    )  # fmt: skip
    with turn.watch.running():
        prepared = [projection.prepare(events) for projection in turn.hub.projections] if events else []
    with transaction.atomic(durable=True):
        bound()
        held = hold(turn.letter_id)
        _check(turn, held)
        after = _apply(turn, events, prepared)
        at = events[-1].version if events else turn.version - 1
        following = waiting.next_after(held.letter, at, held.position)
        _move(turn, held.letter, events, following)
    _count(turn, after, len(events), following is None)
    return following is None


def _check(turn: Turn, held: Held) -> None:
    if held.paused or held.letter.noted_by != turn.token or held.letter.version != turn.version:
        raise StartOver


def _apply(turn: Turn, events: Sequence[LoggedEvent], prepared: Sequence[Prepared]) -> list[AfterCommit]:
    if not events:
        return []
    if turn.hub.lock:
        turn.hub.lock(frozenset().union(*(each.locks for each in prepared)))
    with turn.watch.running():
        return live.apply_all(turn.hub, events, prepared)


def _move(
    turn: Turn, letter: DeadLetter, events: Sequence[LoggedEvent], following: waiting.Waiting | None
) -> None:
    """Let the letter stand at the next event, noted as tried; or resolve it when there is none."""
    now = datetime.now(UTC)
    Checkpoint.objects.filter(hub=letter.hub, partition_id=letter.partition_id, lane=letter.lane).update(
        processed=F("processed") + len(events)
    )
    letter.noted_at = now
    if following is None:
        letter.resolved, letter.noted_by, letter.next_retry, letter.round = now, None, None, None
        letter.version = events[-1].version + 1 if events else letter.version
        _record(turn, letter, LetterStep.Outcome.RESOLVED, len(events))
    elif events:
        stand_at(letter, following, now)
        letter.retries, letter.next_retry = 1, next_retry(now, now, 0)
    letter.save()
    turn.version = letter.version if following is None else following.version


def stand_at(letter: DeadLetter, following: waiting.Waiting, now: datetime) -> None:
    """Let a letter wait from another event on, which has not failed yet."""
    letter.version, letter.event_offset, letter.event_type = (
        following.version,
        following.offset,
        following.type,
    )
    letter.tries = letter.retries = 0
    letter.first_failed = now


def _count(turn: Turn, after: Sequence[AfterCommit], events: int, over: bool) -> None:
    turn.events += events
    counting.drained.labels(turn.hub.name).inc(events)
    for follow_up in after:
        live.run_after(follow_up, turn.hub.name, turn.lane)
    if over:
        counting.resolved.labels(turn.hub.name, "drained").inc()
        log.info("letter.resolved", hub=turn.hub.name, lane=Lane(turn.lane).label, letter=turn.letter_id)


def _rest(turn: Turn) -> None:
    """Let go when the time is over; the letter is due again at once."""
    with transaction.atomic(durable=True):
        bound()
        letter = hold(turn.letter_id).letter
        if letter.noted_by == turn.token:
            letter.noted_by, letter.retries, letter.next_retry = None, 0, datetime.now(UTC)
            letter.asked_by = turn.by
            _record(turn, letter, LetterStep.Outcome.WORKED)
            letter.save()


def _settle_hung(turn: Turn, stack: traceback.StackSummary) -> None:
    """Record a try that is being ended while it hangs. Called by the watchdog."""
    _record_failure(turn, hung(turn.hub.name, stack))


def _fail(turn: Turn, error: Exception) -> Came:
    """Record a failure at the event where it now stands."""
    return _record_failure(turn, failure(turn.hub.name, error))


def _record_failure(turn: Turn, what: Failure) -> Came:
    """Write down why it failed; the time of the next retry is noted already."""
    try:
        with transaction.atomic(durable=True):
            bound()
            letter = hold(turn.letter_id).letter
            if letter.noted_by != turn.token:
                return Came.LOST
            _tell(letter, what, LetterStep.Outcome.FAILED, turn)
            letter.noted_by = None
            letter.save()
    except LetterGone:
        return Came.LOST
    log.error(
        "letter.failed", hub=turn.hub.name, lane=Lane(turn.lane).label, letter=turn.letter_id, cause=what.cause,
        fingerprint=what.fingerprint,
    )  # fmt: skip
    return Came.FAILED


def _tell(letter: DeadLetter, what: Failure, outcome: LetterStep.Outcome, turn: Turn | None = None) -> None:
    """Write down why a letter waits."""
    letter.cause, letter.fingerprint, letter.traceback = what.cause, what.fingerprint, what.traceback
    letter.last_failed = datetime.now(UTC)
    letter.tries += 1
    _record(turn, letter, outcome)


def _record(turn: Turn | None, letter: DeadLetter, outcome: LetterStep.Outcome, more: int = 0) -> None:
    failed = outcome in {LetterStep.Outcome.FAILED, LetterStep.Outcome.ENDED}
    LetterStep.objects.create(
        letter=letter,
        at=datetime.now(UTC),
        by=turn.by if turn else "",
        outcome=outcome,
        cause=letter.cause if failed else "",
        version=letter.version,
        events=(turn.events if turn else 0) + more,
    )


def _take_back(turn: Turn) -> None:
    """Uncount a try that judged nothing: by a fault that passes, or because it lost the letter."""
    try:
        DeadLetter.objects.filter(pk=turn.letter_id, noted_by=turn.token).update(
            retries=F("retries") - 1,
            noted_by=None,
            asked_by=turn.by,
            next_retry=datetime.now(UTC) + AGAIN_SOON,
        )
    except Exception as error:
        if not passes(error, Stopwatch()):
            raise
        _owed.add(turn.token)  # the database is away: taken back at the next try
