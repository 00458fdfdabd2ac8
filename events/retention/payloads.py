"""Payloads by age and by number: a cursor in each partition, from the oldest on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from events.hubs.needs import behind, needed
from events.log.erasing import Cause, Place, erase_payloads, walk
from events.log.horizon import older_than_newest
from events.log.rows import event_pk
from events.models import Event, Retention, Sweep
from events.models.erasures import Why
from events.replays.fold import folds
from events.retention.sweeping import REST, Done, Sweeper

NAME = "payloads"
EXPORT = "export"
LOOK = 500
"""So many events one step looks at: reading them costs about a millisecond."""
TAKE = 100
"""So many payloads one step takes: about 5 ms on PostgreSQL."""
STAFF = "staff."
AGAIN = timedelta(days=1)
"""After so long, what had to be left is looked at once more."""
SOON = timedelta(minutes=1)

_older_known: dict[tuple[int, int], tuple[datetime, datetime | None]] = {}


def wanted(retention: Retention) -> bool:
    """Tell whether a game lets go of payloads."""
    return retention.payload_days is not None or retention.payloads is not None


def step(sweep: Sweep, retention: Retention, now: datetime) -> Done:
    """Take up to 100 payloads of a partition that are older than the game keeps them."""
    _look_again(sweep, now)
    until = horizon(retention, now)
    found = walk(sweep.part, sweep.position, LOOK)
    old = _before(found, until, exported(sweep) if retention.export else None)
    if not old:
        return Done(rest=REST)
    early, kept = behind(old), kept_types()
    passed = _upto([place for place in old if place.id < min(early, default=place.id + 1)], kept)
    _take(sweep, [place for place in passed if _may_go(place, kept)], now)
    if passed:
        sweep.position = passed[-1].offset
    return Done(rest=SOON if early and len(passed) < TAKE else timedelta())


def horizon(retention: Retention, now: datetime) -> datetime | None:
    """Return the time before which payloads go; None keeps all that there are."""
    limits: list[datetime | None] = []
    if retention.payload_days is not None:
        limits.append(now - timedelta(days=retention.payload_days))
    if retention.payloads is not None:
        limits.append(_older(retention.game_id, retention.payloads, now))
    return max((limit for limit in limits if limit is not None), default=None)


def forget() -> None:
    """Look for horizons anew (tests append within seconds what games append within days)."""
    _older_known.clear()


def kept_types() -> tuple[str, ...]:
    """Return prefixes of types whose payloads only an erasure takes: those that folds read, and what staff did.

    A fold that reads every type keeps every payload: the empty prefix.
    """
    return (STAFF, *(prefix for _, fold in folds().values() for prefix in (fold.types or ("",))))


def exported(sweep: Sweep) -> int:
    """Return the offset up to which the partition was exported, and the file checked."""
    row = Sweep.objects.filter(game_id=sweep.game_id, name=EXPORT, part=sweep.part).first()
    return row.position if row else 0


def _older(game_id: int, count: int, now: datetime) -> datetime | None:
    """Return the horizon of so many events, at most ten minutes old: it only moves on, so an old one keeps more."""
    known = _older_known.get((game_id, count))
    if known is None or not timedelta() <= now - known[0] < REST:
        known = _older_known[game_id, count] = (now, older_than_newest(game_id, count))
    return known[1]


def was_recorded_before(partition_id: int, offset: int, until: datetime) -> bool:
    """Tell whether the event at an offset is there, and older."""
    return Event.objects.filter(pk=event_pk(partition_id, offset), recorded__lt=until).exists()


def _before(found: Sequence[Place], until: datetime | None, through: int | None) -> list[Place]:
    """Return the events up to the first that is kept, by its age or because it is not exported yet."""
    old: list[Place] = []
    for place in found:
        if until is None or place.recorded >= until or (through is not None and place.offset > through):
            break
        old.append(place)
    return old


def _upto(found: Sequence[Place], kept: tuple[str, ...]) -> list[Place]:
    """Cut after so many payloads that may go: transactions stay short."""
    count = 0
    for n, place in enumerate(found):
        count += _may_go(place, kept)
        if count == TAKE:
            return list(found[: n + 1])
    return list(found)


def _may_go(place: Place, kept: tuple[str, ...]) -> bool:
    return place.has_payload and not place.type.startswith(kept)


def _take(sweep: Sweep, going: Sequence[Place], now: datetime) -> None:
    waiting = needed(going)
    sweep.taken += erase_payloads(
        [place for place in going if place.id not in waiting], Cause(why=Why.RETENTION)
    )
    left = [place.offset for place in going if place.id in waiting]
    if left:
        sweep.left_from = min(left[0], sweep.left_from or left[0])
        sweep.restart = sweep.restart or now + AGAIN


def _look_again(sweep: Sweep, now: datetime) -> None:
    """Go back to what had to be left, once a day while there is anything."""
    if sweep.left_from is not None and sweep.restart is not None and sweep.restart <= now:
        sweep.position, sweep.left_from, sweep.restart = sweep.left_from - 1, None, None


SWEEPER = Sweeper(name=NAME, wanted=wanted, step=step, by_partition=True)
