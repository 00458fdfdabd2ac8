"""All with one fingerprint are retried together: one as a probe, the rest at a bounded rate."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from events.errors import LettersChanged, RoundOpen
from events.hubs.letters import rounds, work
from events.hubs.letters.drain import drain
from events.hubs.letters.retrying import of_stream, retry
from events.hubs.letters.steering import cancel, retry_group, skip_group
from events.models import DeadLetter, OutboxEvent, RetryRound, Skip
from tests.events.hubs.conftest import MakeHub
from tests.events.hubs.letters.parked import Poison, due_now, given_parked
from tests.events.hubs.recording import Recording

pytestmark = pytest.mark.django_db(transaction=True)

STREAMS = tuple(f"s{number}" for number in range(8))
LONG_S = 5.0


@pytest.fixture
def travelling() -> Iterator[time_machine.Traveller]:
    """Yield a clock that stands, and can be moved."""
    with time_machine.travel(datetime.now(UTC), tick=False) as traveller:
        yield traveller


def given_group(make: MakeHub) -> tuple[Poison, Recording, str, int]:
    poison = Poison(*[(stream, 1) for stream in STREAMS])
    game, hub = given_parked(make, poison, STREAMS, events=2)
    (fingerprint,) = set(DeadLetter.objects.values_list("fingerprint", flat=True))
    poison.met.clear()
    return poison, hub, fingerprint, game.id


def begun(fingerprint: str, seen: int = 8, skips: bool = False) -> RetryRound:
    """Begin a round, as staff do who have seen so many."""
    begin = skip_group if skips else retry_group
    return begin("recorder", fingerprint, seen=seen, by="olive", reason="fixed")


def test_a_probe_that_fails_lets_the_rest_wait(recording_hub: MakeHub) -> None:
    poison, _, fingerprint, _ = given_group(recording_hub)
    begun(fingerprint)
    while rounds.take_turn(LONG_S):
        pass
    assert poison.met == [("s0", 1)]
    row = RetryRound.objects.get()
    assert (row.state, row.failed, row.passed) == ("stopped", 1, 0)
    assert DeadLetter.objects.filter(resolved=None, round=None).count() == 8


def test_a_probe_that_passes_is_followed_by_the_rest_at_a_bounded_rate(
    recording_hub: MakeHub, travelling: time_machine.Traveller
) -> None:
    poison, hub, fingerprint, game_id = given_group(recording_hub)
    poison.places.clear()
    travelling.shift(1)
    begun(fingerprint)
    turns = 0
    while rounds.take_turn(LONG_S):
        turns += 1
    assert turns == 2, "the probe, and the first of the rest"
    assert len(hub.seen(game_id)) == 4
    for _ in range(7):
        travelling.shift(1 / rounds.PER_SECOND + 0.001)
        assert rounds.take_turn(LONG_S)
        assert not rounds.take_turn(LONG_S)
    assert len(hub.seen(game_id)) == 16
    row = RetryRound.objects.get()
    assert (row.state, row.failed, row.passed) == ("finished", 0, 8)


def test_a_round_stops_when_the_rest_fails(
    recording_hub: MakeHub, travelling: time_machine.Traveller
) -> None:
    poison, _, fingerprint, _ = given_group(recording_hub)
    poison.places.discard(("s0", 1))
    begun(fingerprint)
    for _ in STREAMS:
        rounds.take_turn(LONG_S)
        travelling.shift(1)
    assert len(poison.met) == rounds.STOPS_AFTER
    assert RetryRound.objects.get().state == "stopped"


def test_a_probe_that_ends_its_process_counts_as_failed(
    recording_hub: MakeHub, travelling: time_machine.Traveller
) -> None:
    poison, _, fingerprint, _ = given_group(recording_hub)
    poison.error = SystemExit
    begun(fingerprint)
    with pytest.raises(SystemExit):
        rounds.take_turn(LONG_S)
    assert not rounds.take_turn(LONG_S), "it may still be at work"
    travelling.shift(rounds.PROBE_S + timedelta(seconds=1))
    assert rounds.take_turn(LONG_S)
    assert RetryRound.objects.get().state == "stopped"
    assert len(poison.met) == 1


def test_a_group_has_one_round_at_a_time(recording_hub: MakeHub) -> None:
    _, _, fingerprint, _ = given_group(recording_hub)
    assert begun(fingerprint).total == 8
    with pytest.raises(RoundOpen):
        begun(fingerprint)
    noted = OutboxEvent.objects.get(type="staff.deadletter.retried")
    assert f'"fingerprint":"{fingerprint}"' in noted.data
    assert '"letters":8' in noted.data


def test_one_and_its_stream_are_retried_on_demand(recording_hub: MakeHub) -> None:
    poison, hub, _, game_id = given_group(recording_hub)
    poison.places.clear()
    letter = DeadLetter.objects.get(stream="s3")
    assert retry(of_stream(letter), by="olive", reason="fixed") == 1
    while work.work_for(LONG_S):
        pass
    assert hub.seen(game_id) == [("s3", 1), ("s3", 2)]
    assert letter.steps.get().by == "olive"
    assert OutboxEvent.objects.filter(type="staff.deadletter.retried").count() == 1


def test_of_thousands_that_one_fault_has_parked_one_is_tried_by_itself_a_minute(
    recording_hub: MakeHub,
) -> None:
    poison, _, _, _ = given_group(recording_hub)
    due_now()
    while work.work_for(LONG_S):
        pass
    assert len(poison.met) == 1
    assert not DeadLetter.objects.filter(next_retry__lte=datetime.now(UTC) + timedelta(seconds=30)).exists()


def test_when_the_one_tried_by_itself_passes_the_others_follow(recording_hub: MakeHub) -> None:
    poison, hub, _, game_id = given_group(recording_hub)
    poison.places.clear()
    due_now()
    while work.work_for(LONG_S):
        pass
    assert len(hub.seen(game_id)) == 16
    assert not DeadLetter.objects.filter(resolved=None).exists()


def test_a_letter_of_a_hub_that_is_gone_waits(recording_hub: MakeHub) -> None:
    poison, _, _, _ = given_group(recording_hub)
    DeadLetter.objects.update(hub="gone")
    due_now()
    assert not work.work_for(LONG_S)
    assert poison.met == []


# -- what staff have seen, and may take back -------------------------------------------------------------


@pytest.mark.parametrize("skips", [False, True], ids=["retry", "skip"])
def test_a_round_over_another_number_than_was_seen_is_not_begun(recording_hub: MakeHub, skips: bool) -> None:
    _, _, fingerprint, _ = given_group(recording_hub)
    with pytest.raises(LettersChanged, match="7 dead letters were shown, 8 are there"):
        begun(fingerprint, seen=7, skips=skips)
    assert not RetryRound.objects.exists()
    assert not OutboxEvent.objects.exists()
    assert not DeadLetter.objects.exclude(round=None).exists()


def test_a_letter_that_was_asked_for_since_is_not_asked_for_again(recording_hub: MakeHub) -> None:
    given_group(recording_hub)
    letter = DeadLetter.objects.get(stream="s3")
    retry([letter], by="olive", reason="fixed")
    with pytest.raises(LettersChanged):
        retry([letter], by="vera", reason="fixed")
    assert OutboxEvent.objects.filter(type="staff.deadletter.retried").count() == 1


def test_a_round_that_is_cancelled_leaves_the_rest_as_it_was(recording_hub: MakeHub) -> None:
    poison, _, fingerprint, _ = given_group(recording_hub)
    poison.places.clear()
    row = begun(fingerprint)
    assert rounds.take_turn(LONG_S)
    assert cancel(row, by="olive", reason="enough")
    assert not cancel(row, by="olive", reason="enough")
    assert not rounds.take_turn(LONG_S)
    row.refresh_from_db()
    assert (row.state, row.passed, row.finished is not None) == ("cancelled", 1, True)
    assert DeadLetter.objects.filter(resolved=None, round=None).count() == 7
    (noted,) = OutboxEvent.objects.filter(type="staff.deadletter.round_cancelled")
    assert '"letters":7' in noted.data


def test_a_group_is_skipped_event_by_event_and_what_waited_behind_is_processed(
    recording_hub: MakeHub, travelling: time_machine.Traveller
) -> None:
    _, hub, fingerprint, game_id = given_group(recording_hub)
    begun(fingerprint, skips=True)
    for _ in range(9):
        travelling.shift(1 / rounds.SKIPS_PER_SECOND + 0.001)
        assert rounds.take_turn(LONG_S)
    row = RetryRound.objects.get()
    assert (row.state, row.passed, row.failed) == ("finished", 8, 0)
    assert sorted(Skip.objects.values_list("stream", "first", "last")) == [
        (stream, 1, 1) for stream in STREAMS
    ]
    assert OutboxEvent.objects.filter(type__startswith="staff.deadletter").count() == 1
    while work.work_for(LONG_S):
        pass
    assert sorted(hub.seen(game_id)) == [(stream, 2) for stream in STREAMS]


def test_a_letter_that_has_moved_on_since_is_not_skipped(
    recording_hub: MakeHub, travelling: time_machine.Traveller
) -> None:
    poison, _, fingerprint, _ = given_group(recording_hub)
    begun(fingerprint, skips=True)
    travelling.shift(1)
    moved = DeadLetter.objects.get(stream="s0")
    poison.places = {("s0", 2)}
    drain(moved.pk, LONG_S)
    while rounds.take_turn(LONG_S):
        travelling.shift(1)
    row = RetryRound.objects.get()
    assert (row.passed, row.failed) == (7, 1)
    assert not Skip.objects.filter(stream="s0").exists()
    moved.refresh_from_db()
    assert (moved.version, moved.resolved) == (2, None)


def test_what_the_rate_allowed_while_nobody_looked_is_made_up_for(
    recording_hub: MakeHub, travelling: time_machine.Traveller
) -> None:
    """Workers look every few seconds; one letter at each look would take hours for thousands."""
    poison, hub, fingerprint, game_id = given_group(recording_hub)
    poison.places.clear()
    begun(fingerprint)
    assert rounds.take_turn(LONG_S)
    travelling.shift(2.5)
    assert not work.work_for(LONG_S)
    assert len(hub.seen(game_id)) == 16
