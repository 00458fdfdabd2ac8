"""Skipping: staff decide that an event, or all that waits, will never be processed by this hub."""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction

from events import staff
from events.errors import LetterMoved
from events.hubs.letters import counting, waiting
from events.hubs.letters.drain import stand_at
from events.hubs.letters.holding import Held, hold
from events.lanes import Lane
from events.models import DeadLetter, LetterStep, Skip


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What somebody had before their eyes when they decided."""

    version: int  # where the letter stood
    upto: int  # the checkpoint's position; what has come since is not skipped
    events: int  # that wait up to there


@dataclass(frozen=True, kw_only=True)
class _Left:
    """What is skipped, from where the letter stands on."""

    last: int  # its last version
    events: int
    by: str
    reason: str
    told: bool = True  # by an event of its own


def seen(letter: DeadLetter) -> Seen:
    """Return what is to be decided about."""
    with transaction.atomic():
        held = hold(letter.pk)
        return Seen(
            version=held.letter.version, upto=held.position, events=waiting.count(held.letter, held.position)
        )


@transaction.atomic
def skip_one(letter: DeadLetter, *, version: int, by: str, reason: str, alone: bool = True) -> int:
    """Skip exactly the event at which a letter stands; what waits behind it is drained next. Returns 1.

    ``alone=False`` writes no event of its own into the log: one of a round was written for all.

    Raises:
        LetterGone: it is resolved.
        LetterMoved: it no longer stands at that version; nothing was skipped.
    """
    held = _held_at(letter, version)
    following = waiting.next_after(held.letter, version, held.position)
    _leave(held, following, _Left(last=version, events=1, by=by, reason=reason, told=alone))
    return 1


@transaction.atomic
def skip_waiting(letter: DeadLetter, *, version: int, upto: int, by: str, reason: str) -> int:
    """Skip all that waits from that version on, up to an offset; return how many events.

    What the log has gained beyond it since somebody looked is not skipped but drained.

    Raises:
        LetterGone: it is resolved.
        LetterMoved: it no longer stands at that version; nothing was skipped.
    """
    held = _held_at(letter, version)
    reached = min(upto, held.position)
    events = waiting.count(held.letter, reached)
    following = waiting.next_beyond(held.letter, reached, held.position)
    last = waiting.last(held.letter, reached)
    _leave(held, following, _Left(last=last, events=events, by=by, reason=reason))
    return events


def _held_at(letter: DeadLetter, version: int) -> Held:
    held = hold(letter.pk)
    if held.letter.version != version:
        raise LetterMoved(letter.pk, version, held.letter.version)
    return held


def _leave(held: Held, following: waiting.Waiting | None, left: _Left) -> None:
    """Let the letter stand at what follows, due at once, or resolve it. A drain that runs loses its claim."""
    letter, now = held.letter, datetime.now(UTC)
    _record(letter, left, now)
    counting.skipped.labels(letter.hub).inc(left.events)
    letter.noted_by, letter.round = None, None
    if following is None:
        letter.resolved, letter.skipped, letter.next_retry = now, True, None
        counting.resolved.labels(letter.hub, "skipped").inc()
    else:
        stand_at(letter, following, now)
        letter.next_retry, letter.asked_by = now, left.by
    letter.save()


def _record(letter: DeadLetter, left: _Left, now: datetime) -> None:
    """Write down what is never to be processed: for rebuilds, for the letter's history, for the log."""
    Skip.objects.create(
        hub=letter.hub, game_id=letter.game_id, partition_id=letter.partition_id, lane=letter.lane,
        stream=letter.stream, first=letter.version, last=left.last, events=left.events, at=now, by=left.by,
        reason=left.reason,
    )  # fmt: skip
    LetterStep.objects.create(
        letter=letter, at=now, by=left.by, reason=left.reason, outcome=LetterStep.Outcome.SKIPPED,
        cause=letter.cause, version=letter.version, events=left.events,
    )  # fmt: skip
    if left.told:
        staff.note(
            letter.game_id, "deadletter.skipped", left.by, hub=letter.hub, lane=Lane(letter.lane).label,
            stream=letter.stream, version=letter.version, events=left.events, reason=left.reason,
        )  # fmt: skip
