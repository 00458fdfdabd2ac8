"""Celery's doors: a wake-up works its lane off and queues itself again; the sweep finds what was left."""

from typing import Any

import pytest

from events import heartbeats, hints, outbox, tasks
from events.errors import LogUnavailable, UnknownHub
from events.hubs import registry
from events.lanes import Lane
from events.models import Checkpoint, Heartbeat
from events.tenancy import create_game
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Return the wake-ups that are sent."""
    woken: list[tuple[str, int]] = []
    monkeypatch.setattr(hints, "wake", lambda hub, lane: woken.append((hub, lane)))
    monkeypatch.setattr(hints, "hint", lambda _lanes: None)
    return woken


def test_a_wake_up_works_its_lane_off(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    woken: list[Any],
) -> None:
    game, hub = given_game(), recording_hub()
    given_events(game, an_event(), an_event())
    given_events(game, an_event(), lane=Lane.BULK)
    tasks.run_hub("recorder", Lane.NORMAL)
    assert len(hub.seen(game.pk)) == 2
    assert woken == []


def test_a_wake_up_that_comes_again_is_harmless(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    woken: list[Any],
) -> None:
    game, hub = given_game(), recording_hub()
    given_events(game, an_event())
    for _ in range(3):
        tasks.run_hub("recorder", Lane.NORMAL)
    assert len(hub.seen(game.pk)) == 1
    assert woken == []


def test_what_is_left_is_queued_again(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    woken: list[Any],
) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, *[an_event() for _ in range(150)], lane=Lane.BULK)
    tasks.run_hub("recorder", Lane.BULK)  # bulk yields after each batch
    assert woken == [("recorder", Lane.BULK)]


def test_work_beside_the_bulk_lane_gets_its_turn_and_is_queued_again(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    woken: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording_hub()
    done: list[str] = []
    left = {"pages": True, "other": False}

    def work(name: str) -> Any:
        def once(_seconds: float) -> bool:
            done.append(name)
            return left[name]

        return once

    monkeypatch.setattr(registry, "_bulk_work", {name: work(name) for name in left})
    tasks.run_hub("recorder", Lane.NORMAL)
    assert done == []
    tasks.run_hub("recorder", Lane.BULK)
    assert done == ["pages", "other"]
    assert woken == [("recorder", Lane.BULK)]


def test_a_hub_that_no_app_registered_is_named() -> None:
    with pytest.raises(UnknownHub, match="nobody"):
        tasks.run_hub("nobody", Lane.NORMAL)


def test_the_sweep_wakes_the_hubs_that_have_work(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    woken: list[Any],
) -> None:
    game = given_game()
    recording_hub("first")
    recording_hub("second")
    given_events(game, an_event(), lane=Lane.URGENT)
    tasks.sweep()
    assert woken == [("first", Lane.URGENT), ("second", Lane.URGENT)]
    tasks.run_hub("first", Lane.URGENT)
    woken.clear()
    tasks.sweep()
    assert woken == [("second", Lane.URGENT)]


def test_the_sweep_makes_the_checkpoints_that_a_new_hub_lacks(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    woken: list[Any],
) -> None:
    game = create_game("swept")
    given_events(game, an_event())
    recording_hub()
    Checkpoint.objects.all().delete()
    tasks.sweep()
    assert Checkpoint.objects.filter(partition__game=game).count() == 8 * len(Lane)
    assert woken == [("recorder", Lane.NORMAL)]


def test_a_log_that_is_not_available_keeps_no_hub_asleep(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    woken: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording_hub()
    given_events(given_game(), an_event())

    def away() -> int:
        raise LogUnavailable("55P03")

    monkeypatch.setattr(outbox, "flush", away)
    with pytest.raises(LogUnavailable):
        tasks.sweep()
    assert woken == [("recorder", Lane.NORMAL)]


def test_a_hub_that_cannot_be_woken_keeps_neither_the_others_nor_the_outbox_waiting(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
    woken: list[Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    recording_hub("first")
    recording_hub("second")
    given_events(given_game(), an_event())

    def wake(hub: str, lane: int) -> None:
        if hub == "first":
            raise OSError("no broker")
        woken.append((hub, lane))

    flushed: list[bool] = []
    monkeypatch.setattr(hints, "wake", wake)
    monkeypatch.setattr(outbox, "flush", lambda: flushed.append(True))
    with pytest.raises(OSError, match="no broker"):
        tasks.sweep()
    assert (woken, flushed) == ([("second", Lane.NORMAL)], [True])
    assert not Heartbeat.objects.filter(name=heartbeats.SWEEP).exists(), "this was no sweep: alarms must tell"
