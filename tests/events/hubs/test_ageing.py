"""Lanes are drained by age: no broker and no worker is needed."""

import pytest

from events.hubs import ageing
from events.hubs import claim as claims
from events.hubs.ageing import LIMIT_S, Watch
from events.hubs.run import BATCH, run
from events.lanes import Lane
from tests.events.hubs.conftest import MakeHub
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)


class Clock:
    """Monotonic seconds that only tests move."""

    def __init__(self) -> None:
        """Start anywhere."""
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.mark.parametrize("lane", list(Lane))
def test_work_that_nobody_was_told_of_is_drained_once_its_lane_has_stood_too_long(
    recording_hub: MakeHub, lane: Lane
) -> None:
    game = given_game()
    hub = recording_hub()
    clock = Clock()
    watch = Watch(lane, clock)
    given_events(game, an_event(), lane=lane)
    assert watch.look() == 0
    clock.now += LIMIT_S[lane] - 0.01
    assert watch.look() == 0
    assert hub.seen(game.id) == []
    clock.now += 0.02
    assert watch.look() == 1
    assert len(hub.seen(game.id)) == 1


@pytest.mark.parametrize("lane", list(Lane))
def test_a_lane_that_was_late_is_drained_until_nothing_waits(recording_hub: MakeHub, lane: Lane) -> None:
    game = given_game(partitions=1)
    hub = recording_hub()
    clock = Clock()
    watch = Watch(lane, clock)
    many = 2 * BATCH[lane] + 1
    given_events(game, *[an_event() for _ in range(many)], lane=lane)
    watch.look()
    clock.now += LIMIT_S[lane]
    while watch.look():
        pass  # the clock stands: nothing becomes late by waiting
    assert len(hub.seen(game.id)) == many


def test_what_others_have_worked_off_meanwhile_is_not_late_any_more(
    recording_hub: MakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = given_game(partitions=1)
    recording_hub()
    clock = Clock()
    watch = Watch(Lane.BULK, clock)
    given_events(game, an_event(), lane=Lane.BULK)
    watch.look()
    clock.now += LIMIT_S[Lane.BULK]
    monkeypatch.setattr(ageing, "run", lambda *_, **__: True)  # its time was over too soon
    assert watch.look() == 1
    monkeypatch.undo()
    run("recorder", Lane.BULK)
    given_events(game, an_event(), lane=Lane.BULK)
    assert watch.look() == 1, "work that is left is worked off"
    assert watch.look() == 0
    given_events(game, an_event(), lane=Lane.BULK)
    assert watch.look() == 0, "what comes afterwards waits its time"


def test_a_lane_that_moves_is_left_to_whoever_moves_it(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    recording_hub()
    clock = Clock()
    watch = Watch(Lane.NORMAL, clock)
    given_events(game, *[an_event() for _ in range(3)])
    assert watch.overdue() == []
    clock.now += LIMIT_S[Lane.NORMAL] * 0.8
    claim = claims.take("recorder", Lane.NORMAL, 100, set())
    assert claim
    claims.advance(claim, 1, 1, 1)
    assert watch.overdue() == []
    clock.now += LIMIT_S[Lane.NORMAL] * 0.8
    assert watch.overdue() == []
    clock.now += LIMIT_S[Lane.NORMAL]
    assert watch.overdue() == ["recorder"]


def test_nothing_is_drained_twice_when_a_worker_was_faster(recording_hub: MakeHub) -> None:
    game = given_game()
    hub = recording_hub()
    clock = Clock()
    watch = Watch(Lane.NORMAL, clock)
    given_events(game, an_event())
    watch.overdue()
    clock.now += 5
    late = watch.overdue()
    assert late == ["recorder"]
    run("recorder", Lane.NORMAL)
    watch.look()
    assert len(hub.seen(game.id)) == 1
