"""Hubs process each event exactly once, in order, whatever fails."""

from contextlib import suppress
from datetime import timedelta

import pytest
from django.db import DatabaseError, InterfaceError, OperationalError

from events.errors import StartOver
from events.hubs import claim as claims
from events.hubs import patience, registry
from events.hubs import run as loop
from events.hubs.letters.schedule import AFTER_AN_END
from events.hubs.patience import Patience
from events.hubs.projection import Hub
from events.hubs.run import Step, run, step_once
from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.models import Checkpoint, DeadLetter
from events.stopping import Stopping
from tests.events.hubs.conftest import MakeHub
from tests.given import an_event, given_events, given_game, hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)
NOW = timedelta(0)


def test_every_event_is_processed_once_and_in_order(recording_hub: MakeHub) -> None:
    game = given_game()
    hub = recording_hub()
    given_events(game, *[an_event(stream=f"s{n % 5}") for n in range(500)])
    hubs_catch_up()
    hubs_catch_up()
    seen = hub.seen(game.id)
    assert len(seen) == 500
    for stream in {stream for stream, _ in seen}:
        assert [version for name, version in seen if name == stream] == list(range(1, 101))


def test_two_hubs_stand_on_their_own_feet(recording_hub: MakeHub) -> None:
    game = given_game()
    first, second = recording_hub("first"), recording_hub("second")
    given_events(game, an_event(), an_event())
    hubs_catch_up(["first"])
    assert (len(first.seen(game.id)), len(second.seen(game.id))) == (2, 0)
    hubs_catch_up(["second"])
    assert len(second.seen(game.id)) == 2


def test_a_new_hub_starts_at_the_beginning_of_the_log(recording_hub: MakeHub) -> None:
    game = given_game()
    given_events(game, an_event(), an_event(), an_event())
    late = recording_hub("late")
    hubs_catch_up()
    assert len(late.seen(game.id)) == 3


def test_a_batch_that_fails_leaves_nothing_and_comes_again(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    failures = iter([True])

    def fail_once(event: LoggedEvent) -> None:
        if event.version == 3 and next(failures, False):
            raise ValueError

    hub = recording_hub(on_apply=fail_once)
    given_events(game, *[an_event(stream="s") for _ in range(5)])
    assert step_once(registry.hub("recorder"), Lane.NORMAL) is Step.FAILED
    assert hub.seen(game.id) == []
    hubs_catch_up()
    assert hub.seen(game.id) == [("s", version) for version in range(1, 6)]
    assert not DeadLetter.objects.exists()


def test_poison_is_parked_and_the_rest_goes_on(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)

    def poison(event: LoggedEvent) -> None:
        if event.stream == "poisoned" and event.version == 2:
            raise ValueError

    hub = recording_hub(on_apply=poison)
    events = [an_event(stream=stream) for _ in range(4) for stream in ("poisoned", "well")]
    given_events(game, *events)
    hubs_catch_up()
    assert sorted(hub.seen(game.id)) == sorted(
        [("poisoned", 1), *[("well", version) for version in (1, 2, 3, 4)]]
    )
    letter = DeadLetter.objects.get()
    assert (letter.stream, letter.version, letter.cause, letter.tries) == ("poisoned", 2, "ValueError", 3)
    given_events(game, an_event(stream="poisoned"), an_event(stream="well"))
    hubs_catch_up()
    assert ("poisoned", 5) not in hub.seen(game.id)
    assert ("well", 5) in hub.seen(game.id)


def test_poison_is_tried_twice_in_a_batch_and_three_times_alone(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)

    def poison(_event: LoggedEvent) -> None:
        raise ValueError

    hub = recording_hub(on_apply=poison)
    given_events(game, an_event(stream="s"), an_event(stream="s"))
    hubs_catch_up()
    assert hub.batches == [2, 2, 1, 1, 1]


@pytest.mark.parametrize("end", [SystemExit, ValueError])
def test_only_what_the_batch_can_have_held_is_tried_alone(
    recording_hub: MakeHub, monkeypatch: pytest.MonkeyPatch, end: type[BaseException]
) -> None:
    """Others that come meanwhile would be tried one at a time, and pile up."""
    monkeypatch.setattr(
        patience, "_ours", Patience(**dict.fromkeys(("first", "again", "alone", "letters"), NOW))
    )
    game = given_game(partitions=1)
    ends = iter([end] * claims.BATCH_TRIES)

    def passes_in_the_end(_event: LoggedEvent) -> None:
        if (fault := next(ends, None)) is not None:
            raise fault

    hub = recording_hub(on_apply=passes_in_the_end)
    given_events(game, *[an_event() for _ in range(3)])
    for _ in range(claims.BATCH_TRIES):
        with suppress(SystemExit):
            step_once(registry.hub("recorder"), Lane.NORMAL)
    if end is ValueError:  # the next try is made at once
        step_once(registry.hub("recorder"), Lane.NORMAL)
    given_events(game, *[an_event() for _ in range(5)])
    hubs_catch_up()
    assert hub.batches == [3, 3, 1, 1, 1, 5]
    assert len(hub.seen(game.id)) == 8


def test_what_kills_its_process_is_parked_too(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)

    def kill(_event: LoggedEvent) -> None:
        raise SystemExit

    recording_hub(on_apply=kill)
    given_events(game, an_event(stream="deadly"))
    hub = registry.hub("recorder")
    for _ in range(claims.BATCH_TRIES + claims.ALONE_TRIES):
        with pytest.raises(SystemExit):
            step_once(hub, Lane.NORMAL)
        Checkpoint.objects.update(noted_at=None)  # a second later
    assert not DeadLetter.objects.exists()
    step_once(hub, Lane.NORMAL)
    letter = DeadLetter.objects.get()
    assert (letter.cause, letter.next_retry) == ("ProcessEnded", letter.created + AFTER_AN_END), (
        "it may be innocent"
    )


@pytest.mark.parametrize("fault", [OperationalError("server closed the connection"), InterfaceError("gone")])
def test_a_fault_that_passes_parks_nothing(recording_hub: MakeHub, fault: DatabaseError) -> None:
    game = given_game(partitions=1)
    faults = iter([fault] * 12)

    def flaky(_event: LoggedEvent) -> None:
        if (error := next(faults, None)) is not None:
            raise error

    hub = recording_hub(on_apply=flaky)
    given_events(game, an_event(stream="s"))
    hubs_catch_up()
    assert hub.seen(game.id) == [("s", 1)]
    assert hub.batches == [1] * 13
    assert not DeadLetter.objects.exists()


def test_a_withdrawn_claim_writes_nothing(recording_hub: MakeHub) -> None:
    """Another run notes the same work between this run's two transactions; only that one may finish."""
    game = given_game(partitions=1)
    hub = recording_hub()
    given_events(game, an_event(stream="s"))
    mine = claims.take("recorder", Lane.NORMAL, 100, set())
    assert mine is not None
    Checkpoint.objects.update(noted_at=None)  # as if a second had passed
    theirs = claims.take("recorder", Lane.NORMAL, 100, set())
    assert theirs is not None
    with pytest.raises(StartOver):
        loop._work(registry.hub("recorder"), mine)
    assert hub.seen(game.id) == []
    loop._work(registry.hub("recorder"), theirs)
    assert hub.seen(game.id) == [("s", 1)]


def test_a_note_of_the_last_second_is_left_alone(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, an_event())
    assert claims.take("recorder", Lane.NORMAL, 100, set()) is not None
    assert claims.take("recorder", Lane.NORMAL, 100, set()) is None
    assert not claims.claimable("recorder", Lane.NORMAL)
    assert claims.work_waits("recorder", Lane.NORMAL)


def test_a_paused_lane_waits(recording_hub: MakeHub) -> None:
    game = given_game()
    hub = recording_hub()
    Checkpoint.objects.update(paused=True)
    given_events(game, an_event())
    hubs_catch_up()
    assert hub.seen(game.id) == []


def test_bulk_yields_after_each_batch(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    hub = recording_hub()
    given_events(game, *[an_event() for _ in range(150)], lane=Lane.BULK)
    assert run("recorder", Lane.BULK)
    assert hub.batches == [100]


def test_a_run_that_loses_its_row_leaves_no_try_behind(recording_hub: MakeHub) -> None:
    """Or a slow machine, on which runs overtake each other, would park what is no poison."""
    game = given_game(partitions=1)
    hub = recording_hub()
    given_events(game, an_event(stream="s"))
    for _ in range(claims.BATCH_TRIES + claims.ALONE_TRIES + 1):
        slow = claims.take("recorder", Lane.NORMAL, 100, set())
        assert slow is not None
        assert not slow.exhausted
        Checkpoint.objects.update(noted_at=None)  # as if a second had passed
        overtaking = claims.take("recorder", Lane.NORMAL, 100, set())
        assert overtaking is not None
        claims.take_back(slow)
        claims.take_back(overtaking)
    assert Checkpoint.objects.get(hub="recorder", lane=Lane.NORMAL).noted_tries == 0
    hubs_catch_up()
    assert hub.seen(game.id) == [("s", 1)]


def test_a_hub_follows_only_its_lanes(recording_hub: MakeHub) -> None:
    """Its lag then never counts what would not concern it, and nobody is woken for nothing."""
    recording_hub()
    registry.register(Hub(name="urgent-only", projections=(), lanes=(Lane.URGENT,)))
    game = given_game(partitions=2)
    assert set(Checkpoint.objects.filter(hub="urgent-only").values_list("lane", flat=True)) == {Lane.URGENT}
    assert Checkpoint.objects.filter(hub="recorder", partition__game=game).count() == 2 * len(Lane)
    registry.unregister("urgent-only")


def test_a_process_that_is_told_to_end_finishes_its_batch_and_takes_no_more(
    recording_hub: MakeHub, stopping: Stopping
) -> None:
    game = given_game(partitions=1)
    hub = recording_hub(on_apply=lambda _event: stopping.set())
    given_events(game, *[an_event() for _ in range(150)])
    assert run("recorder", Lane.NORMAL), "others are told that work is left"
    assert hub.batches == [100]
    assert run("recorder", Lane.NORMAL)
    assert hub.batches == [100]
    stopping.clear()
    assert not run("recorder", Lane.NORMAL)
    assert hub.batches == [100, 50]
