"""Back-pressure: which lanes of a game are refused at the moment, because its hubs are too far behind.

Requests never ask the database: they read what this process found last, at most half a second
ago. One thread looks, for the games that were asked about lately. A look that fails, hangs or
was never made refuses nobody. What is refused since when is a row, so that all processes and
the console agree.
"""

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
import structlog
from django.db import Error, connection
from django.utils import timezone
from prometheus_client import Counter

from events import limits
from events.errors import Overloaded
from events.faults import is_transient
from events.hubs.backlogs import backlogs_of
from events.lanes import Lane
from events.limits import Backlog, Limit
from events.models import Game, RefusedLane

LOOK_S = 0.5
"""So often the thread looks while anybody asks."""
ASKED_S = 5.0
"""It goes on for so long after the last question."""
STALE_S = 5.0
"""An older finding refuses nobody."""
WINDOW_S = 10.0
"""Over so long the rate is measured."""
LEAST_S = 0.4
"""Two looks that are closer together tell no rate."""

log = structlog.get_logger(__name__)
refused_total = Counter("clarion_refused_total", "Events refused by back-pressure.", ["game", "lane"])


class Refused(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An item that is sent away until later. The log was not asked: even a repeat is told to come again."""

    id: str
    source: str
    lane: str
    retry_after: int  # seconds


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """One lane of a game that is refused."""

    game_id: int
    game: str  # its slug
    lane: Lane
    since: datetime
    hub: str  # the slowest
    events: int  # that lie before a new event of this lane
    oldest_s: float
    limit: Limit
    wait_s: float  # until it is likely to be accepted


_Sample = tuple[float, Sequence[Backlog]]
"""When (monotonic), and each hub's backlog of one game."""


@dataclass(frozen=True, kw_only=True)
class _Finding:
    """What a look found of one game."""

    at: float  # monotonic
    refusals: Mapping[int, Refusal]  # by lane


@dataclass(kw_only=True)
class _Memory:
    """What this process knows."""

    findings: dict[int, _Finding] = field(default_factory=dict)
    samples: dict[int, deque[_Sample]] = field(default_factory=dict)
    asked: dict[int, float] = field(default_factory=dict)
    looker: threading.Thread | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)


_memory = _Memory()
_NONE: Mapping[int, Refusal] = {}


def refusals(game_id: int) -> Mapping[int, Refusal]:
    """Return what is refused of a game, by lane; for the event loop: it neither waits nor queries."""
    now = time.monotonic()
    _memory.asked[game_id] = now
    if _memory.looker is None:
        _start()
    finding = _memory.findings.get(game_id)
    return finding.refusals if finding is not None and now - finding.at <= STALE_S else _NONE


def admit(game_id: int, lane: Lane) -> None:
    """Let one event pass.

    Raises:
        Overloaded: its lane is refused.
    """
    if (refusal := refusals(game_id).get(lane)) is not None:
        count(refusal.game, lane)
        raise Overloaded([lane.label], limits.jittered(refusal.wait_s))


def count(game: str, lane: Lane, events: int = 1) -> None:
    """Count refused events for Prometheus."""
    refused_total.labels(game, lane.label).inc(events)


def look(game_ids: Iterable[int]) -> list[Refusal]:
    """Measure these games and return what is refused of them; two queries, three when anything is refused.

    Raises:
        django.db.Error: nothing was found out.
    """
    games = {game.pk: game for game in Game.objects.filter(pk__in=list(game_ids))}
    limited = [pk for pk, game in games.items() if not all(limit.is_none for limit in game.limits)]
    before = {(row.game_id, row.lane): row for row in RefusedLane.objects.filter(game__in=list(games))}
    backlogs = backlogs_of(limited)
    at = time.monotonic()
    for pk, game in games.items():
        found = _judged(game, backlogs.get(pk, []), before, at)
        _keep(game, found, before)
        _memory.findings[pk] = _Finding(at=at, refusals={refusal.lane: refusal for refusal in found})
    return [refusal for pk in games for refusal in _memory.findings[pk].refusals.values()]


def standing() -> list[Refusal]:
    """Look again at all games of which anything is refused: so that it ends when nobody asks any more."""
    ids = RefusedLane.objects.order_by("game").values_list("game", flat=True).distinct()
    return look(ids) if ids else []


def forget() -> None:
    """End the thread and know nothing any more; the next question begins anew."""
    global _memory
    left, _memory = _memory, _Memory()
    left.stop.set()
    if left.looker is not None and left.looker is not threading.current_thread():
        left.looker.join()


def _judged(
    game: Game, backlogs: Sequence[Backlog], before: Mapping[tuple[int, int], RefusedLane], at: float
) -> list[Refusal]:
    samples = _sampled(game.pk, backlogs, at)
    found = []
    for lane in Lane:
        row, limit = before.get((game.pk, lane)), game.limits[lane]
        if limits.refused(limit, backlogs, lane, before=row is not None):
            wait_s, slowest = _slowest(limit, lane, backlogs, samples)
            found.append(_refusal(game, lane, row, slowest, wait_s))
    return found


def _slowest(
    limit: Limit, lane: Lane, backlogs: Sequence[Backlog], samples: Sequence[_Sample]
) -> tuple[float, Backlog]:
    """Return the hub that will take longest, with the seconds that it is likely to take."""
    waits = [
        (limits.drained_in_s(limit, *each.before(lane), _rate(samples, each, lane)), each)
        for each in backlogs
    ]
    return max(waits, key=lambda pair: (pair[0], pair[1].before(lane)))


def _refusal(game: Game, lane: Lane, row: RefusedLane | None, slowest: Backlog, wait_s: float) -> Refusal:
    events, oldest_s = slowest.before(lane)
    return Refusal(
        game_id=game.pk,
        game=game.slug,
        lane=lane,
        since=row.since if row else timezone.now(),
        hub=slowest.hub,
        events=events,
        oldest_s=oldest_s,
        limit=game.limits[lane],
        wait_s=wait_s,
    )


def _sampled(game_id: int, backlogs: Sequence[Backlog], at: float) -> Sequence[_Sample]:
    samples = _memory.samples.setdefault(game_id, deque())
    samples.append((at, backlogs))
    while at - samples[0][0] > WINDOW_S:
        samples.popleft()
    return samples


def _rate(samples: Sequence[_Sample], backlog: Backlog, lane: Lane) -> float | None:
    """Return how many events a second a hub has passed lately, of a lane and those that overtake it."""
    (end, _), (begin, earlier) = samples[-1], samples[0]
    first = next((each for each in earlier if each.hub == backlog.hub), None)
    if first is None or end - begin < LEAST_S:
        return None
    return max(0, sum(backlog.passed[: lane + 1]) - sum(first.passed[: lane + 1])) / (end - begin)


def _keep(game: Game, found: Sequence[Refusal], before: Mapping[tuple[int, int], RefusedLane]) -> None:
    """Write what has begun and take away what has ended; nothing, as long as nothing changes."""
    now = {refusal.lane for refusal in found}
    was = {lane for pk, lane in before if pk == game.pk}
    if begun := [refusal for refusal in found if refusal.lane not in was]:
        RefusedLane.objects.bulk_create(
            [RefusedLane(game=game, lane=each.lane, since=each.since) for each in begun],
            ignore_conflicts=True,
        )
    if ended := was - now:
        RefusedLane.objects.filter(game=game, lane__in=ended).delete()
    for each in begun:
        log.warning(
            "pressure.refused", game=game.slug, lane=each.lane.label, hub=each.hub, events=each.events,
            oldest_s=round(each.oldest_s, 1),
        )  # fmt: skip
    for lane in sorted(ended):
        log.info("pressure.accepted", game=game.slug, lane=Lane(lane).label)


def _start() -> None:
    with _memory.lock:
        if _memory.looker is None:
            _memory.looker = threading.Thread(
                target=_look_while_asked, args=(_memory,), name="pressure", daemon=True
            )
            _memory.looker.start()


def _look_while_asked(memory: _Memory) -> None:
    try:
        while games := _asked_lately(memory):
            _look_once(games)
            if memory.stop.wait(LOOK_S):
                return
    finally:
        connection.close()


def _asked_lately(memory: _Memory) -> list[int]:
    """Return the games; with none the thread ends, and the next question starts another."""
    since = time.monotonic() - ASKED_S
    with memory.lock:
        games = [game_id for game_id, at in list(memory.asked.items()) if at >= since]
        if not games:
            memory.looker = None
        return games


def _look_once(games: Sequence[int]) -> None:
    try:
        connection.close_if_unusable_or_obsolete()
        look(games)
    except Error as error:
        if not is_transient(error):
            log.exception("pressure.failed")
        connection.close()
    except Exception:  # whatever it is, the next look must still be made
        log.exception("pressure.failed")


def _after_fork() -> None:
    global _memory  # noqa: PLW0603 - as above; the thread has stayed in the parent
    _memory = _Memory()


os.register_at_fork(after_in_child=_after_fork)
