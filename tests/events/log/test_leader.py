"""The thread that commits for all: nothing that a caller does or suffers ends it, and its connection is its own."""

import os
from collections.abc import Iterator, Sequence
from threading import Event as Flag
from threading import Thread, current_thread
from typing import Any

import pytest
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from events import log
from events.errors import LogUnavailable, UnknownGame
from events.lanes import Lane
from events.log import appending, group
from events.log.entries import Appended, Entry, Outcome
from events.log.group import Call, Committer
from events.log.partitions import partition_ids
from events.models import Event, Game
from tests.events.log.test_group import PATIENCE_S, HeldUp
from tests.given import an_event, given_game

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game() -> Game:
    return given_game()


@pytest.fixture
def held_up(game: Game) -> Iterator[HeldUp]:
    held_up = HeldUp(game)
    yield held_up
    held_up.let_go()
    held_up.committer.stop()


def stored(game: Game) -> set[str]:
    return set(Event.objects.filter(game=game).values_list("event_id", flat=True))


def test_who_has_gone_before_the_append_began_is_left_out_and_the_others_are_answered(
    game: Game, held_up: HeldUp
) -> None:
    """A client that hangs up cancels its request, and with it the future that it waits for."""
    gone = held_up.append(game, an_event(id="gone"))
    waiting = held_up.append(game, an_event(id="waiting"))
    assert gone.cancel()
    held_up.let_go()
    assert isinstance(waiting.result(PATIENCE_S)[0], Appended)
    assert held_up.groups == [1, 1]
    assert "gone" not in stored(game)


def test_who_goes_in_the_middle_of_the_append_ends_nothing(game: Game, held_up: HeldUp) -> None:
    assert not held_up.first.cancel(), "it is in flight"
    held_up.let_go()
    assert isinstance(held_up.append(game, an_event()).result(PATIENCE_S)[0], Appended)


def test_when_all_have_gone_the_next_call_is_served_all_the_same(game: Game, held_up: HeldUp) -> None:
    for _ in range(3):
        assert held_up.append(game, an_event()).cancel()
    held_up.let_go()
    assert isinstance(held_up.append(game, an_event()).result(PATIENCE_S)[0], Appended)


def test_one_callers_unknown_game_is_nobody_elses_fault(game: Game, held_up: HeldUp) -> None:
    good = held_up.append(game, an_event())
    bad = held_up.committer.submit(game.id + 4711, [Entry(envelope=an_event(), lane=Lane.NORMAL)])
    also_good = held_up.append(game, an_event())
    held_up.let_go()
    assert isinstance(good.result(PATIENCE_S)[0], Appended)
    assert isinstance(also_good.result(PATIENCE_S)[0], Appended)
    with pytest.raises(UnknownGame):
        bad.result(PATIENCE_S)


def test_a_deleted_game_is_unknown_although_its_partitions_were_remembered() -> None:
    gone = given_game()
    partition_ids(gone.id)
    game_id = gone.id
    gone.delete()
    for _ in range(2):
        with pytest.raises(UnknownGame):
            log.append(game_id, [Entry(envelope=an_event(), lane=Lane.NORMAL)])


def test_the_leaders_connection_is_reserved_whatever_its_age(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(connection.settings_dict, "CONN_MAX_AGE", 0)
    used: list[Any] = []

    def commit(calls: Sequence[Call]) -> list[list[Outcome]]:
        outcomes = appending.commit(calls)
        used.append(connection.connection)
        return outcomes

    committer = Committer(commit)
    for _ in range(3):
        committer.submit(game.id, [Entry(envelope=an_event(), lane=Lane.NORMAL)]).result(PATIENCE_S)
    committer.stop()
    assert used[0] is not None
    assert used[0] is used[1] is used[2]


@pytest.mark.services
def test_a_broken_connection_is_replaced_at_the_next_append(game: Game) -> None:
    broken = iter([True])

    def commit(calls: Sequence[Call]) -> list[list[Outcome]]:
        if next(broken, False):
            connection.ensure_connection()
            connection.connection.close()
        return appending.commit(calls)

    committer = Committer(commit)
    entries = [Entry(envelope=an_event(id="again"), lane=Lane.NORMAL)]
    with pytest.raises(LogUnavailable):
        committer.submit(game.id, entries).result(PATIENCE_S)
    assert isinstance(committer.submit(game.id, entries).result(PATIENCE_S)[0], Appended)
    committer.stop()


def test_an_idle_leader_ends_and_gives_its_connection_back(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group, "IDLE_S", 0.01)
    used: list[tuple[Thread, BaseDatabaseWrapper]] = []

    def commit(calls: Sequence[Call]) -> list[list[Outcome]]:
        used.append((current_thread(), connections["default"]))
        return appending.commit(calls)

    committer = Committer(commit)
    committer.submit(game.id, [Entry(envelope=an_event(), lane=Lane.NORMAL)]).result(PATIENCE_S)
    leader, wrapper = used[0]
    leader.join(PATIENCE_S)
    assert not leader.is_alive()
    assert wrapper.connection is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_leader_that_was_ended_by_force_is_followed_by_another(game: Game) -> None:
    ended = Flag()

    def commit(calls: Sequence[Call]) -> list[list[Outcome]]:
        if not ended.is_set():
            ended.set()
            raise SystemExit
        return appending.commit(calls)

    committer = Committer(commit)
    committer.submit(game.id, [Entry(envelope=an_event(), lane=Lane.NORMAL)])
    first = committer._leader
    assert first is not None
    first.join(PATIENCE_S)
    second = committer.submit(game.id, [Entry(envelope=an_event(), lane=Lane.NORMAL)])
    assert isinstance(second.result(PATIENCE_S)[0], Appended)
    committer.stop()


def test_a_forked_process_starts_a_leader_of_its_own() -> None:
    """The parent's thread does not live in the child, where it would be waited for in vain."""
    committer = Committer(lambda calls: [[] for _ in calls])
    entries = [Entry(envelope=an_event(), lane=Lane.NORMAL)]
    committer.submit(1, entries).result(PATIENCE_S)
    child = os.fork()
    if child == 0:
        try:
            committer.submit(1, entries).result(PATIENCE_S / 2)
        except BaseException:  # noqa: BLE001 - whatever it is, the parent is told by the exit code
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    committer.stop()
