"""Group commit: callers share a transaction, and each gets its own answer."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from threading import Event as Flag
from typing import Any

import msgspec
import pytest
from django.db import OperationalError

from events import connections, log
from events.envelope import Envelope
from events.errors import InvalidEvent, LogUnavailable, UnknownGame
from events.lanes import Lane
from events.log import appending
from events.log.entries import Appended, Duplicate, Entry, Outcome
from events.log.group import GROUP_ENTRIES, Call, Committer
from events.models import Event, Game
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_S = 30


class HeldUp:
    """A committer whose first transaction waits until it is let go; the others gather behind it."""

    def __init__(self, game: Game) -> None:
        """Begin with one event."""
        self.groups: list[int] = []
        self.fault: Exception | None = None
        self._go = Flag()
        self.committer = Committer(self._commit)
        self.first = self.append(game, an_event())
        while not self.groups:
            self._go.wait(0.001)

    def append(self, game: Game, *envelopes: Envelope) -> "Future[list[Outcome]]":
        """Append as one caller."""
        entries = [Entry(envelope=envelope, lane=Lane.NORMAL) for envelope in envelopes]
        return self.committer.submit(game.id, entries)

    def let_go(self) -> None:
        """Let the first transaction begin."""
        self._go.set()

    def _commit(self, calls: Sequence[Call]) -> list[list[Outcome]]:
        self.groups.append(len(calls))
        assert self._go.wait(PATIENCE_S)
        if self.fault is not None and len(self.groups) > 1:
            raise self.fault
        return appending.commit(calls)


@pytest.fixture
def game() -> Game:
    """A game."""
    return given_game()


@pytest.fixture
def held_up(game: Game) -> Iterator[HeldUp]:
    """A committer with a transaction in flight."""
    held_up = HeldUp(game)
    yield held_up
    held_up.let_go()
    held_up.committer.stop()


def what_no_database_takes() -> Envelope:
    """An event that validation would have refused: it has no type."""
    envelope = an_event()
    fields: dict[str, Any] = msgspec.structs.asdict(envelope)
    return type(envelope)(**{**fields, "type": None})


def test_callers_who_arrive_while_an_append_is_in_flight_share_the_next_one(
    game: Game, held_up: HeldUp
) -> None:
    waiting = [held_up.append(game, an_event(id=f"own-{n}", stream="s")) for n in range(5)]
    held_up.let_go()
    outcomes = [future.result(PATIENCE_S)[0] for future in waiting]
    assert held_up.groups == [1, 5]
    assert [(outcome.id, outcome.version) for outcome in outcomes] == [(f"own-{n}", n + 1) for n in range(5)]


def test_two_callers_with_the_same_event_are_told_of_one_place(game: Game, held_up: HeldUp) -> None:
    waiting = [held_up.append(game, an_event(id="once", stream="s")) for _ in range(2)]
    held_up.let_go()
    first, second = (future.result(PATIENCE_S)[0] for future in waiting)
    assert (type(first), type(second)) == (Appended, Duplicate)
    assert first.offset == second.offset


def test_one_callers_bad_data_is_nobody_elses_fault(game: Game, held_up: HeldUp) -> None:
    good = held_up.append(game, an_event(id="before"))
    bad = held_up.append(game, what_no_database_takes(), an_event(id="beside it"))
    also_good = held_up.append(game, an_event(id="after"))
    held_up.let_go()
    assert isinstance(good.result(PATIENCE_S)[0], Appended)
    assert isinstance(also_good.result(PATIENCE_S)[0], Appended)
    with pytest.raises(InvalidEvent):
        bad.result(PATIENCE_S)
    assert held_up.groups[:2] == [1, 3]
    stored = set(Event.objects.filter(game=game).values_list("event_id", flat=True))
    assert {"before", "after"} < stored
    assert "beside it" not in stored


def test_an_outage_is_told_to_all_callers_as_unknown(game: Game, held_up: HeldUp) -> None:
    held_up.fault = OperationalError("server closed the connection unexpectedly")
    waiting = [held_up.append(game, an_event()) for _ in range(3)]
    held_up.let_go()
    assert isinstance(held_up.first.result(PATIENCE_S)[0], Appended)
    for future in waiting:
        with pytest.raises(LogUnavailable, match="send the same ids again"):
            future.result(PATIENCE_S)
    assert held_up.groups == [1, 3]


def test_a_mistake_of_one_caller_does_not_end_the_thread_that_works_for_all(game: Game) -> None:
    with pytest.raises(UnknownGame):
        log.append(game.id + 4711, [Entry(envelope=an_event(), lane=Lane.NORMAL)])
    assert isinstance(given_events(game, an_event())[0], Appended)


def test_a_group_is_bounded(game: Game, held_up: HeldUp) -> None:
    half = GROUP_ENTRIES // 2 + 1
    waiting = [held_up.append(game, *[an_event() for _ in range(half)]) for _ in range(2)]
    held_up.let_go()
    assert [len(future.result(PATIENCE_S)) for future in waiting] == [half, half]
    assert held_up.groups == [1, 1, 1]


def test_nothing_to_append_is_answered_at_once(game: Game, held_up: HeldUp) -> None:
    assert held_up.append(game).result(0) == []


def test_a_stop_finishes_what_is_queued_and_a_later_call_starts_anew(game: Game, held_up: HeldUp) -> None:
    waiting = held_up.append(game, an_event())
    held_up.let_go()
    held_up.committer.stop()
    assert isinstance(waiting.result(0)[0], Appended)
    assert isinstance(held_up.append(game, an_event()).result(PATIENCE_S)[0], Appended)


class Pooled:
    """A caller's connection, as a web process has it."""

    in_atomic_block = False

    def __init__(self, pool: object) -> None:
        """Come from a pool, or not."""
        self.settings_dict = {"OPTIONS": {"pool": pool}}
        self.closed = False

    def close(self) -> None:
        """Go back to the pool."""
        self.closed = True


@pytest.mark.parametrize("pool", [None, {"max_size": 1}], ids=["no pool", "pool"])
def test_who_waits_has_given_the_connection_back_to_its_pool(
    game: Game, monkeypatch: pytest.MonkeyPatch, pool: object
) -> None:
    """Otherwise callers who wait would starve those who have not begun."""
    theirs, closed_before = Pooled(pool), []
    submit = appending.submit

    def watched(*call: Any) -> "Future[list[Outcome]]":
        closed_before.append(theirs.closed)
        return submit(*call)

    monkeypatch.setattr(appending, "submit", watched)
    with monkeypatch.context() as patched:
        patched.setattr(appending, "connection", theirs)
        patched.setattr(connections, "connection", theirs)
        log.append(game.id, [])
    assert closed_before == [pool is not None]
