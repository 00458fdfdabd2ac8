"""The races of the design, each with its interleaving forced."""

from collections.abc import Sequence
from queue import Queue
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
from django.db import connection, transaction

from events.hubs import claim as claims
from events.hubs import registry
from events.hubs import run as loop
from events.hubs.run import Step, run, step_once
from events.lanes import Lane
from events.log import appending
from events.log.entries import Entry, Outcome
from events.log.group import Call
from events.log.logged import LoggedEvent
from events.log.read import batch
from events.log.store import Heads
from events.models import Checkpoint, Event, Game, Partition
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.events.log.test_append import chain_problems
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)

PATIENCE_S = 30


class Writer:
    """Appends one event on a thread with a connection of its own, as another process would."""

    def __init__(self, game: Game, stream: str) -> None:
        """Start at once."""
        self.result: Queue[Outcome | Exception] = Queue()
        self._thread = Thread(target=self._run, args=(game, stream), daemon=True)
        self._thread.start()

    def _run(self, game: Game, stream: str) -> None:
        try:
            call = Call(game_id=game.id, entries=[Entry(envelope=an_event(stream=stream), lane=Lane.NORMAL)])
            self.result.put(appending.commit([call])[0][0])
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.result.put(error)
        finally:
            connection.close()

    def outcome(self) -> Any:
        """Wait for what it came to."""
        found = self.result.get(timeout=PATIENCE_S)
        if isinstance(found, Exception):
            raise found
        return found


class SlowCommit:
    """Holds the first append just before its heads are written, until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put itself into the store that this database uses."""
        self.reached, self.go = Flag(), Flag()
        store = type(appending._store())
        original = store.raise_heads
        held = iter([True])

        def raise_heads(this: Any, heads: Sequence[Heads]) -> None:
            if next(held, False):
                self.reached.set()
                assert self.go.wait(PATIENCE_S)
            original(this, heads)

        monkeypatch.setattr(store, "raise_heads", raise_heads)


def test_a_second_writer_waits_for_the_first_and_counts_on(monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game(partitions=1)
    slow = SlowCommit(monkeypatch)
    first = Writer(game, "contested")
    assert slow.reached.wait(PATIENCE_S)
    second = Writer(game, "contested")
    second._thread.join(0.2)
    assert second.result.empty()
    slow.go.set()
    assert (first.outcome().version, second.outcome().version) == (1, 2)
    assert chain_problems(game.id) == []


def test_a_reader_never_sees_past_a_commit_that_is_not_there_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game(partitions=1)
    partition_id = Partition.objects.get(game=game).id
    slow = SlowCommit(monkeypatch)
    first = Writer(game, "a")
    assert slow.reached.wait(PATIENCE_S)
    second = Writer(game, "b")
    second._thread.join(0.2)
    assert batch(partition_id, Lane.NORMAL, 0, 10) == []
    slow.go.set()
    assert (first.outcome().offset, second.outcome().offset) == (1, 2)
    assert [event.stream for event in batch(partition_id, Lane.NORMAL, 0, 10)] == ["a", "b"]


def test_work_that_comes_after_the_read_and_before_the_release_is_done(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hint of that work finds the row noted and leaves; so whoever has noted it must look once more."""
    game = given_game(partitions=1)
    hub = recording_hub()
    given_events(game, an_event(stream="first"))
    read = loop.read_batch
    comes = iter([True])

    def read_then_work_comes(*args: Any) -> Sequence[LoggedEvent]:
        events = read(*args)
        if next(comes, False):
            given_events(game, an_event(stream="late"))
            assert run("recorder", Lane.NORMAL)  # the hint's run: it leaves, and says that work is left
            assert hub.seen(game.id) == []
        return events

    monkeypatch.setattr(loop, "read_batch", read_then_work_comes)
    run("recorder", Lane.NORMAL)
    assert hub.seen(game.id) == [("first", 1), ("late", 1)]


def test_a_row_that_is_locked_for_a_look_is_asked_for_again(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    game = given_game(partitions=1)
    hub = recording_hub()
    given_events(game, an_event(stream="s"))
    take = claims.take
    locked = iter([True])

    def locked_at_first(*args: Any) -> claims.Claim | None:
        return None if next(locked, False) else take(*args)

    monkeypatch.setattr(claims, "take", locked_at_first)
    run("recorder", Lane.NORMAL)
    assert hub.seen(game.id) == [("s", 1)]


def test_two_runs_on_one_lane_process_nothing_twice(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    game = given_game(partitions=2)
    hub = recording_hub()
    given_events(game, *[an_event(stream=f"s{n % 9}") for n in range(900)])
    problems: Queue[Exception] = Queue()

    def work() -> None:
        try:
            while claims.work_waits("recorder", Lane.NORMAL):
                step_once(registry.hub("recorder"), Lane.NORMAL)
        except Exception as error:  # noqa: BLE001 - handed to the test
            problems.put(error)
        finally:
            connection.close()

    workers = [Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE_S)
    assert problems.empty()
    assert len(hub.seen(game.id)) == Event.objects.filter(game=game).count() == 900


def test_a_look_for_work_costs_no_other_run_its_claim(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    """PostgreSQL locks a noted row before it finds that it is taken; the claim waits that moment out."""
    game = given_game(partitions=1)
    hub = recording_hub()
    given_events(game, an_event(stream="s"))
    claim = claims.take("recorder", Lane.NORMAL, 100, set())
    assert claim is not None
    looking, go = Flag(), Flag()

    def look() -> None:
        with transaction.atomic():
            list(Checkpoint.objects.select_for_update(no_key=True).filter(id=claim.checkpoint_id))
            looking.set()
            assert go.wait(PATIENCE_S)
        connection.close()

    results: Queue[Any] = Queue()

    def work() -> None:
        try:
            results.put(loop._work(registry.hub("recorder"), claim))
        except Exception as error:  # noqa: BLE001 - handed to the test
            results.put(error)
        finally:
            connection.close()

    looker, worker = Thread(target=look), Thread(target=work)
    looker.start()
    assert looking.wait(PATIENCE_S)
    worker.start()
    worker.join(0.2)
    go.set()
    looker.join(PATIENCE_S)
    assert results.get(timeout=PATIENCE_S) is Step.DONE
    assert hub.seen(game.id) == [("s", 1)]
