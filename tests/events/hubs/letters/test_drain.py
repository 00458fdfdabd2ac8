"""A dead letter is drained in order, each event once, and then its stream goes on."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from django.db import OperationalError
from django.db.models import F

from events.errors import StartOver
from events.hubs import registry
from events.hubs import run as loop
from events.hubs.letters import drain as draining
from events.hubs.letters import work
from events.hubs.letters.drain import Came, drain
from events.hubs.projection import Prepared
from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.models import Checkpoint, DeadLetter, LetterStep
from tests.events.hubs.conftest import MakeHub
from tests.events.hubs.letters.parked import Poison, due_now, given_parked, more
from tests.events.hubs.recording import Recording
from tests.given import an_event, given_events, hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)

LONG_S = 60.0


def versions(hub: Recording, game_id: int, stream: str = "s") -> list[int]:
    return [version for name, version in hub.seen(game_id) if name == stream]


def test_what_waited_is_worked_off_and_the_live_run_goes_on(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 2))
    game, hub = given_parked(recording_hub, poison, ("s", "t"))
    letter = DeadLetter.objects.get()
    poison.places.clear()
    assert drain(letter.pk, LONG_S) == (Came.RESOLVED, 2)
    more(game, "s")
    assert versions(hub, game.id) == [1, 2, 3, 4]
    letter.refresh_from_db()
    assert letter.resolved is not None
    assert letter.next_retry is None
    assert list(letter.steps.values_list("outcome", "events")) == [("resolved", 2)]


def test_a_retry_that_fails_counts_and_waits_longer(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 2))
    _, _ = given_parked(recording_hub, poison)
    letter = DeadLetter.objects.get()
    assert letter.next_retry is not None
    pauses = []
    for tries in (4, 5, 6):
        assert drain(letter.pk, LONG_S) == (Came.FAILED, 0)
        letter.refresh_from_db()
        assert (letter.version, letter.tries, letter.noted_by) == (2, tries, None)
        assert letter.next_retry is not None
        pauses.append(letter.next_retry - datetime.now(UTC))
    assert pauses == sorted(pauses)
    assert pauses[-1] > timedelta(minutes=3)
    assert letter.steps.filter(outcome=LetterStep.Outcome.FAILED, cause="ValueError").count() == 3


def test_a_drain_that_fails_further_on_stands_there_and_begins_to_wait_anew(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 1), ("s", 3))
    game, hub = given_parked(recording_hub, poison, events=4)
    letter = DeadLetter.objects.get()
    DeadLetter.objects.update(
        first_failed=datetime.now(UTC) - timedelta(hours=30), next_retry=None, retries=20
    )
    poison.places.discard(("s", 1))
    assert drain(letter.pk, LONG_S) == (Came.FAILED, 2)
    letter.refresh_from_db()
    assert (letter.version, letter.tries, letter.retries) == (3, 1, 1)
    assert letter.first_failed > datetime.now(UTC) - timedelta(minutes=1)
    assert letter.next_retry is not None
    assert versions(hub, game.id) == [1, 2]


def test_after_a_day_a_letter_waits_for_somebody(recording_hub: MakeHub) -> None:
    given_parked(recording_hub, Poison(("s", 1)))
    letter = DeadLetter.objects.get()
    DeadLetter.objects.update(first_failed=datetime.now(UTC) - timedelta(hours=24))
    assert drain(letter.pk, LONG_S)[0] is Came.FAILED
    letter.refresh_from_db()
    assert letter.next_retry is None
    assert not work.work_for(LONG_S)


def test_events_of_other_lanes_are_not_drained(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 1))
    game, hub = given_parked(recording_hub, poison, events=1)
    more(game, "s", lane=Lane.URGENT)
    more(game, "s")
    assert versions(hub, game.id) == [2]
    poison.places.clear()
    assert drain(DeadLetter.objects.get().pk, LONG_S) == (Came.RESOLVED, 2)
    assert versions(hub, game.id) == [2, 1, 3]


def test_events_beyond_the_checkpoint_are_left_to_the_live_run(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 1))
    game, hub = given_parked(recording_hub, poison, events=2)
    given_events(game, an_event(stream="s"))
    poison.places.clear()
    assert drain(DeadLetter.objects.get().pk, LONG_S) == (Came.RESOLVED, 2)
    assert versions(hub, game.id) == [1, 2]
    hubs_catch_up()
    assert versions(hub, game.id) == [1, 2, 3]


def test_an_event_that_ends_the_process_is_counted_before_it_is_tried(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 1))
    given_parked(recording_hub, poison)
    poison.places, poison.error = {("s", 2)}, SystemExit
    letter = DeadLetter.objects.get()
    with pytest.raises(SystemExit):
        drain(letter.pk, LONG_S)
    letter.refresh_from_db()
    assert (letter.version, letter.retries) == (2, 1)
    assert letter.next_retry is not None
    assert letter.next_retry > datetime.now(UTC) + timedelta(seconds=30)
    assert drain(letter.pk, LONG_S) == (Came.LOST, 0), "it may still be at work"
    DeadLetter.objects.update(noted_at=datetime.now(UTC) - timedelta(minutes=1))
    with pytest.raises(SystemExit):
        drain(letter.pk, LONG_S)
    letter.refresh_from_db()
    assert (letter.cause, letter.retries) == ("ProcessEnded", 2)
    assert letter.steps.get().outcome == LetterStep.Outcome.ENDED


def test_a_fault_that_passes_is_no_try(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 1))
    given_parked(recording_hub, poison)
    poison.error = lambda: OperationalError("server closed the connection")
    letter = DeadLetter.objects.get()
    assert drain(letter.pk, LONG_S) == (Came.FAULT, 0)
    letter.refresh_from_db()
    assert (letter.tries, letter.retries, letter.noted_by) == (3, 0, None)
    assert not letter.steps.exists()


def test_a_drain_whose_time_is_over_is_due_at_once_and_goes_on_there(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 1))
    game, hub = given_parked(recording_hub, poison, events=5)
    poison.places.clear()
    letter = DeadLetter.objects.get()
    assert drain(letter.pk, 0.0) == (Came.WORKED, 1)
    letter.refresh_from_db()
    assert letter.version == 2
    assert work.work_for(LONG_S) is False
    assert versions(hub, game.id) == [1, 2, 3, 4, 5]


def test_a_paused_lane_is_not_drained(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 1))
    game, hub = given_parked(recording_hub, poison)
    poison.places.clear()
    Checkpoint.objects.update(paused=True)
    due_now()
    assert not work.work_for(LONG_S)
    assert versions(hub, game.id) == []
    Checkpoint.objects.update(paused=False)
    due_now()
    work.work_for(LONG_S)
    assert versions(hub, game.id) == [1, 2, 3]


def test_a_drain_that_was_overtaken_writes_nothing(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 1))
    game, hub = given_parked(recording_hub, poison)
    poison.places.clear()
    letter = DeadLetter.objects.get()
    slow = draining._begin(letter.pk)
    assert slow is not None
    DeadLetter.objects.update(noted_at=datetime.now(UTC) - timedelta(minutes=1))
    assert drain(letter.pk, 0.0) == (Came.WORKED, 1)
    with pytest.raises(StartOver):
        draining._step(slow)
    assert versions(hub, game.id) == [1]


def test_a_live_batch_goes_on_while_a_drain_moves_its_letter(
    recording_hub: MakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or a drain of many events would hold the live run up until it is over."""
    game, hub = given_parked(recording_hub, Poison(("s", 1)))
    Checkpoint.objects.update(alone_left=0)

    def drained_meanwhile(events: Sequence[LoggedEvent]) -> Prepared:
        DeadLetter.objects.update(version=F("version") + 1)
        return Prepared(take=len(events))

    monkeypatch.setattr(hub, "prepare", drained_meanwhile)
    given_events(game, an_event(stream="s"), an_event(stream="t"))
    assert loop.step_once(registry.hub("recorder"), Lane.NORMAL) is loop.Step.DONE
    assert hub.seen(game.id) == [("t", 1)]


def test_the_lag_and_the_count_of_processed_events_stay_exact(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 2))
    given_parked(recording_hub, poison)
    poison.places.clear()
    drain(DeadLetter.objects.get().pk, LONG_S)
    checkpoint = Checkpoint.objects.get(hub="recorder", lane=Lane.NORMAL)
    assert (checkpoint.processed, checkpoint.passed) == (3, 3)
