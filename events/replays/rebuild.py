"""Rebuilding a fold from the log while live goes on: stream by stream, each under its checkpoint's lock.

Nothing is emptied first. Under the lock a stream's events, up to the checkpoint, are folded
once more, and its rows are compared with what comes of it: those that are right stay
untouched, the others are put right and counted. So readers never see an emptied fold, and a
healthy one costs no writes. A stream of more than a page of events is done in pages: history
first, page by page; what is true at present with the last page, under the lock.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from django.db import transaction

from events.faults import is_transient
from events.log.logged import LoggedEvent
from events.log.replaying import stream_after
from events.models import Replay
from events.replays import hold
from events.replays.fold import Fold, fold_of, folds
from events.replays.job import Job, Stepped
from events.replays.pace import at_once
from events.replays.places import bounds_between, length, reached, spot_of
from events.replays.standing import Standing, hold_checkpoints
from events.replays.walk import Plan, Todo, go_past, leave, narrow, plan_next, stand_at

KIND = "rebuild"
PAGE = 100
"""Events of one stream folded in one step."""
HOLD_S = 0.015
"""For so long a step takes up further streams; live waits for its checkpoint meanwhile."""
SAMPLES = 5

log = structlog.get_logger(__name__)


class Rebuild(Job):
    """A fold made anew from the log: from the start, an offset or a time; of all streams or one."""

    kind = KIND
    title = "Rebuild"
    takes_stream = True
    takes_end = False

    def targets(self) -> list[str]:
        """Return the folds."""
        return sorted(folds())

    def begin(self, replay: Replay) -> None:
        """Find the part of each partition that its hub has processed."""
        hub, fold = fold_of(replay.target)
        reach = reached(hub.name, replay.game_id, hub.lanes)
        begins = spot_of(replay.begins, "begins")
        replay.bounds = bounds_between(replay.game_id, begins, spot_of(""), reach)
        replay.total = length(replay.bounds)
        replay.options = {**replay.options, "whole": not replay.begins.strip()}
        if replay.stream:
            narrow(replay, hub, fold)

    def prepare(self, replay: Replay) -> Plan | None:
        """Find the next streams and make their owners."""
        hub, fold = fold_of(replay.target)
        plan = plan_next(replay, hub, fold)
        if plan is None:
            return None
        return replace(plan, owners=_owners(fold, replay.game_id, {each.stream for each in plan.todo}))

    def work(self, replay: Replay, prepared: Plan | None) -> Stepped:
        """Fold the planned streams again, as many as fit into a short transaction."""
        if prepared is None:
            return Stepped(read=0, over=True)
        hub, fold = fold_of(replay.target)
        read, since = prepared.walked, None
        if prepared.todo:
            standing = hold_checkpoints(hub, prepared.partition_id, [each.stream for each in prepared.todo])
            since = hold.clock()
            if hub.lock:
                hub.lock(frozenset(prepared.owners.values()))
            read += _Bench(replay, fold, standing, prepared).work()
        else:
            go_past(replay, prepared)
        return Stepped(read=read, over=False, held_since=since)


@dataclass(kw_only=True)
class _Folded:
    """What came of one page of a stream."""

    read: int
    over: bool
    version: int
    state: str


class _Bench:
    """One step's work on the streams of one partition. Everything is locked."""

    def __init__(self, replay: Replay, fold: Fold[Any], standing: Standing, plan: Plan) -> None:
        self.replay, self.fold, self.standing, self.plan = replay, fold, standing, plan
        self.barred = fold.barred(plan.owners.values())

    def work(self) -> int:
        """Fold stream after stream until the time is over; return how many events were read."""
        end, read = hold.clock() + HOLD_S, 0
        for todo in self.plan.todo:
            folded = self._attempt(todo)
            read += folded.read
            if not folded.over:
                self._stay(todo, folded)
                return read
            self.replay.streams += 1
            leave(self.replay, self.plan, todo)
            if hold.clock() >= end and todo is not self.plan.todo[-1]:
                return read
        go_past(self.replay, self.plan)
        return read

    def _stay(self, todo: Todo, folded: _Folded) -> None:
        stand_at(self.replay, self.plan.partition_id, todo.before)
        self.replay.carried = folded.state
        opened = {"stream": todo.stream, "version": folded.version, "before": todo.before}
        self.replay.cursor = {**self.replay.cursor, "open": opened}
        if self.plan.strays_after is not None:  # else the walk for strays would find it again, for ever
            self.replay.cursor["stray"] = self.plan.strays_after

    def _attempt(self, todo: Todo) -> _Folded:
        """Fold a page; a stream that fails is left as it is, counted, and does not stop the others."""
        if todo.stream not in self.plan.owners:
            return self._left_alone(todo, "" if self.standing.is_left_out(todo.stream) else "NoOwner")
        try:
            with transaction.atomic():
                return self._page(todo)
        except Exception as error:
            if is_transient(error):
                raise
            name = type(error).__name__
            log.error("replay.stream_failed", replay=self.replay.pk, error=name)  # noqa: TRY400 - no values
            return self._left_alone(todo, name)

    def _left_alone(self, todo: Todo, why: str) -> _Folded:
        if why:
            self.replay.broken += 1
            _sample(self.replay, "broken", [todo.stream, why])
        return _Folded(read=1, over=True, version=todo.version, state="")

    def _page(self, todo: Todo) -> _Folded:
        """Fold the next events, and put right what they have made."""
        fold, replay = self.fold, self.replay
        owner = self.plan.owners[todo.stream]
        version, state = self._from(todo, owner)
        size = at_once(replay, hold.fitting(replay, PAGE))
        found = stream_after(replay.game_id, todo.stream, version, size + 1, fold.types)
        page, over = found[:size], len(found) <= size
        wanted: dict[int, Any] = {}
        mine = [each for each in page if self.standing.has_applied(each) and fold.concerns(each)]
        for event in [] if owner in self.barred else mine:
            state = fold.step(state, event)
            if fold.past is not None:
                wanted[event.id] = fold.row_past(owner, state, event)
        after = self._pk_at(todo, version) if version else -1
        differing = fold.mend_past(owner, wanted, after, None if over else page[-1].id)
        if over:
            none = owner in self.barred or state == fold.empty_state
            differing += fold.mend_now(owner, [] if none else [fold.row_now(owner, state)])
        self._count(todo, mine, differing)
        return _Folded(
            read=max(1, len(page)),
            over=over,
            version=page[-1].version if page else version,
            state=fold.dump(state),
        )

    def _from(self, todo: Todo, owner: int) -> tuple[int, Any]:
        """Return from which version on, and with which state: history's, where it has one from before."""
        if todo.state:
            return todo.version, self.fold.load(todo.state)
        if todo.since is not None and owner not in self.barred:
            known = self.fold.state_before(owner, todo.since)
            if known is not None:
                return todo.version, known
        return 0, self.fold.empty_state

    def _pk_at(self, todo: Todo, version: int) -> int:
        """Return the id of the event at a version of the stream."""
        (last,) = stream_after(self.replay.game_id, todo.stream, version - 1, 1, ())
        return last.id

    def _count(self, todo: Todo, mine: Sequence[LoggedEvent], differing: int) -> None:
        replay = self.replay
        replay.events += len(mine)
        replay.without_payload += sum(each.data is None and each.data_encoding != "" for each in mine)
        replay.differing += differing
        if differing:
            _sample(replay, "differing", [todo.stream, differing])


def _owners(fold: Fold[Any], game_id: int, streams: Collection[str]) -> dict[str, int]:
    """Return the streams' owners; those that can have none (their key is too long, say) are left out."""
    try:
        return fold.owners(game_id, streams)
    except Exception as error:
        if is_transient(error):
            raise
        if len(streams) == 1:
            return {}
    return {stream: owner for each in streams for stream, owner in _owners(fold, game_id, [each]).items()}


def _sample(replay: Replay, name: str, sample: list[Any]) -> None:
    """Keep the first few."""
    kept = replay.result.get(name, [])
    if len(kept) < SAMPLES:
        replay.result = {**replay.result, name: [*kept, sample]}
