"""A step that has kept live waiting for too long is followed by a smaller one; none of this reads the time."""

from collections.abc import Collection
from itertools import pairwise

import pytest

from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.models import Game, Replay
from events.replays import hold, work
from notifications.replays import missed
from players.profiles import Profiles, State
from tests.events.replays.given import given_replay, worked_off
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.replays.given import given_missed, given_real

pytestmark = pytest.mark.django_db(transaction=True)
PLAYERS = [f"p{number:03}" for number in range(160)]


class Clock:
    """Stands still, unless something takes time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.event_s = 0.0  # so long takes an event that is folded
        self.owner_s = 0.0  # so long takes an owner who is locked

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock, step, barred = Clock(), Profiles.step, Profiles.barred
    monkeypatch.setattr(hold, "clock", clock)

    def folding(self: Profiles, state: State, event: LoggedEvent) -> State:
        clock.now += clock.event_s
        return step(self, state, event)

    def asking(self: Profiles, owner_ids: Collection[int]) -> set[int]:
        clock.now += clock.owner_s * len(owner_ids)
        return barred(self, owner_ids)

    monkeypatch.setattr(Profiles, "step", folding)
    monkeypatch.setattr(Profiles, "barred", asking)
    return clock


@pytest.fixture
def game() -> Game:
    game = given_game(partitions=1)
    said = [an_event(type="player.updated", stream=key, data={"locale": "de"}) for key in PLAYERS]
    given_events(game, *said, lane=Lane.URGENT)
    hubs_catch_up(["profiles"])
    return game


def streams_of_a_step(replay: Replay) -> int:
    """Do a step; return how many streams it has folded."""
    before = Replay.objects.get(pk=replay.pk).streams
    assert work.step(Replay.objects.get(pk=replay.pk))
    return Replay.objects.get(pk=replay.pk).streams - before


def events_of_each_step(replay: Replay) -> list[int]:
    """Work a replay off; return how many events each of its steps has taken."""
    counts = [0]
    while (row := Replay.objects.get(pk=replay.pk)).state in {"waiting", "running"}:
        work.step(row)
        counts.append(Replay.objects.get(pk=replay.pk).events)
    return [after - before for before, after in pairwise(counts)]


def test_steps_shrink_until_they_fit_and_grow_again_when_there_is_room(game: Game, clock: Clock) -> None:
    replay = given_replay(game)
    first = streams_of_a_step(replay)
    assert first > 5
    clock.owner_s = 0.012  # two of them take as long as a step may
    for _ in range(4):
        streams_of_a_step(replay)
    assert streams_of_a_step(replay) <= 2
    clock.owner_s = 0.0
    grown = [streams_of_a_step(replay) for _ in range(9)]
    assert grown == sorted(grown)
    assert grown[-1] >= first
    assert worked_off(replay).streams == len(PLAYERS)


def test_a_page_of_a_long_stream_shrinks_as_well(clock: Clock) -> None:
    game = given_game(partitions=1)
    said = [
        an_event(type="player.updated", stream="alice", data={"attributes": {"n": number}})
        for number in range(180)
    ]
    given_events(game, *said, lane=Lane.URGENT)
    hubs_catch_up(["profiles"])
    clock.event_s = 0.002  # twelve of them take as long as a step may
    replay = given_replay(game)
    sizes = events_of_each_step(replay)
    assert sizes[0] == 50
    assert max(sizes[4:]) <= 15
    assert (sum(sizes), Replay.objects.get(pk=replay.pk).differing) == (180, 0)


def test_what_was_missed_is_decided_in_smaller_pages_too(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = given_game(partitions=1)
    replay = given_real(given_missed(game, *range(200)))
    decide = missed._decide

    def slow(page: missed.Page) -> object:
        clock.now += 0.001 * len(page.decided)
        return decide(page)

    monkeypatch.setattr(missed, "_decide", slow)
    sizes = events_of_each_step(replay)
    assert sizes[0] == 50
    assert max(sizes[2:]) <= 26
    assert sum(sizes) == 200


def test_waiting_for_the_lock_is_not_held_against_a_step(game: Game, clock: Clock) -> None:
    """Only what comes after the lock keeps others waiting."""
    replay = given_replay(game)
    clock.now += 5
    first = streams_of_a_step(replay)
    assert streams_of_a_step(replay) >= first
