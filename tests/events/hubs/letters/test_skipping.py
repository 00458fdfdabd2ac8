"""Skipping leaves out exactly what somebody has seen and decided about."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import DEFAULT_DB_ALIAS, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from events.errors import LetterGone, LetterMoved
from events.hubs.letters import drain as draining
from events.hubs.letters import work
from events.hubs.letters.drain import drain
from events.hubs.letters.holding import hold
from events.hubs.letters.skipping import seen, skip_one, skip_waiting
from events.models import DeadLetter, LetterStep, OutboxEvent
from tests.events.hubs.conftest import MakeHub
from tests.events.hubs.letters.parked import Poison, due_now, given_parked, more
from tests.given import hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)

LONG_S = 60.0


@contextmanager
def other_connection() -> Iterator[BaseDatabaseWrapper]:
    """Connect a second time."""
    other = connections.create_connection(DEFAULT_DB_ALIAS)
    other.settings_dict["NAME"] = connection.settings_dict["NAME"]
    try:
        yield other
    finally:
        other.close()


def test_skipping_leaves_out_the_failing_event_and_drains_what_waited(recording_hub: MakeHub) -> None:
    game, hub = given_parked(recording_hub, Poison(("s", 2)), events=4)
    letter = DeadLetter.objects.get()
    assert skip_one(letter, version=2, by="olive", reason="broken data") == 1
    work.work_for(LONG_S)
    hubs_catch_up()
    assert [version for stream, version in hub.seen(game.id) if stream == "s"] == [1, 3, 4]
    step = letter.steps.get(outcome=LetterStep.Outcome.SKIPPED)
    assert (step.version, step.events, step.by, step.reason) == (2, 1, "olive", "broken data")
    assert OutboxEvent.objects.filter(type="staff.deadletter.skipped").count() == 1


def test_skipping_the_last_one_resolves_the_letter(recording_hub: MakeHub) -> None:
    game, hub = given_parked(recording_hub, Poison(("s", 3)))
    letter = DeadLetter.objects.get()
    skip_one(letter, version=3, by="olive", reason="broken data")
    letter.refresh_from_db()
    assert letter.resolved is not None
    more(game, "s")
    assert hub.seen(game.id)[-1] == ("s", 4)
    with pytest.raises(LetterGone):
        skip_one(letter, version=3, by="olive", reason="again")


def test_all_that_waits_is_skipped_up_to_what_was_seen_and_the_rest_is_drained(
    recording_hub: MakeHub,
) -> None:
    game, hub = given_parked(recording_hub, Poison(("s", 2)), events=4)
    letter = DeadLetter.objects.get()
    shown = seen(letter)
    assert shown.events == 3
    more(game, "s", 2)
    skipped = skip_waiting(letter, version=shown.version, upto=shown.upto, by="olive", reason="an old season")
    assert skipped == 3
    work.work_for(LONG_S)
    assert [version for stream, version in hub.seen(game.id) if stream == "s"] == [1, 5, 6]


def test_what_has_moved_since_it_was_seen_is_not_skipped(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 1), ("s", 3))
    game, hub = given_parked(recording_hub, poison, events=4)
    letter = DeadLetter.objects.get()
    poison.places = {("s", 3)}
    due_now()
    work.work_for(LONG_S)
    with pytest.raises(LetterMoved, match="stands at version 3 now, not 1"):
        skip_one(letter, version=1, by="olive", reason="broken data")
    assert [version for _, version in hub.seen(game.id)] == [1, 2]


def test_a_skip_takes_the_letter_from_a_drain_that_is_at_work(recording_hub: MakeHub) -> None:
    poison = Poison(("s", 1))
    game, hub = given_parked(recording_hub, poison)
    poison.places.clear()
    letter = DeadLetter.objects.get()
    at_work = draining._begin(letter.pk)
    assert at_work is not None
    skip_one(letter, version=1, by="olive", reason="broken data")
    assert draining._work(at_work, LONG_S) is draining.Came.LOST
    drain(letter.pk, LONG_S)
    assert [version for _, version in hub.seen(game.id)] == [2, 3]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_skip_waits_for_whoever_holds_the_checkpoint(recording_hub: MakeHub) -> None:
    """A live run or a drain that is between its look and its commit must not find the letter moved."""
    given_parked(recording_hub, Poison(("s", 2)))
    letter = DeadLetter.objects.get()
    with other_connection() as other, other.cursor() as cursor:
        cursor.execute("BEGIN; SELECT id FROM events_checkpoint WHERE lane = 1 FOR NO KEY UPDATE")
        with transaction.atomic(), connection.cursor() as mine:
            mine.execute("SET LOCAL lock_timeout = '100ms'")
            with pytest.raises(OperationalError), transaction.atomic():
                skip_one(letter, version=2, by="olive", reason="broken data")
        cursor.execute("ROLLBACK")
    assert skip_one(letter, version=2, by="olive", reason="broken data") == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time")
def test_a_round_that_begins_or_ends_waits_for_a_letter_that_is_held(recording_hub: MakeHub) -> None:
    """Whoever holds it saves the whole row: a round that had ended in between would be written back."""
    given_parked(recording_hub, Poison(("s", 2)))
    letter = DeadLetter.objects.get()
    with other_connection() as other, other.cursor() as cursor, transaction.atomic():
        hold(letter.pk)
        cursor.execute("SET lock_timeout = '100ms'")
        with pytest.raises(OperationalError):
            cursor.execute("UPDATE events_deadletter SET round_id = NULL WHERE id = %s", [letter.pk])
