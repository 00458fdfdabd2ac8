"""Clarion's own events: written with the change that causes them, in the log once after its commit."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import DataError, OperationalError, transaction

from events import log, outbox
from events.errors import InsideTransaction, LogUnavailable
from events.lanes import Lane
from events.log import appending
from events.models import Event, Game, OutboxEvent
from events.tasks import sweep
from tests.events.api.server import GameServer
from tests.events.envelope.requests import members
from tests.given import given_game

pytestmark = pytest.mark.django_db(transaction=True)
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def game() -> Game:
    return given_game(partitions=1)


def claim(game: Game, number: int = 1, **others: Any) -> None:
    """Write what claiming a reward would write."""
    event = {
        "event_id": f"claim:{number}",
        "type": "reward.claimed",
        "stream": "alice",
        "data": {"gold": number},
    }
    outbox.write(game_id=game.pk, **{**event, **others})


def in_the_log(game: Game) -> list[str]:
    return list(Event.objects.filter(game=game).order_by("offset").values_list("event_id", flat=True))


@pytest.fixture
def no_log(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """The log is not available until this is undone."""

    def away(_calls: object) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(appending.committer, "_commit", away)
    return monkeypatch


def test_an_event_follows_its_change_after_commit(game: Game) -> None:
    with transaction.atomic():
        claim(game)
        assert in_the_log(game) == []
    event = Event.objects.get()
    assert (event.event_id, event.type, event.stream, event.lane) == (
        "claim:1",
        "reward.claimed",
        "alice",
        Lane.URGENT,
    )
    assert (event.source, event.data, event.data_encoding) == (appending.OWN_SOURCE, '{"gold":1}', "json")
    assert OutboxEvent.objects.get().appended is not None


def test_without_its_change_there_is_no_event(game: Game) -> None:
    with transaction.atomic():
        claim(game)
        transaction.set_rollback(True)
    assert not OutboxEvent.objects.exists()
    sweep()
    assert in_the_log(game) == []


def test_what_a_crash_left_is_found_by_the_sweep(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "_flush_soon", lambda: None)  # the process ended between commit and append
    with transaction.atomic():
        claim(game, 1)
        claim(game, 2)
    assert in_the_log(game) == []
    sweep()
    assert in_the_log(game) == ["claim:1", "claim:2"]


def test_a_crash_between_append_and_its_note_appends_nothing_twice(game: Game) -> None:
    claim(game)
    OutboxEvent.objects.update(appended=None)
    sweep()
    sweep()
    assert in_the_log(game) == ["claim:1"]
    assert OutboxEvent.objects.get().appended is not None


def test_the_same_change_twice_is_one_event(game: Game) -> None:
    for gold in (1, 2):
        with transaction.atomic():
            claim(game, data={"gold": gold})
    assert in_the_log(game) == ["claim:1"]
    assert Event.objects.get().data == '{"gold":1}'


def test_the_same_id_in_another_game_is_another_event(game: Game) -> None:
    other = given_game()
    claim(game)
    claim(other)
    assert in_the_log(game) == in_the_log(other) == ["claim:1"]


def test_an_event_says_when_its_change_happened_not_when_it_was_found(
    game: Game, no_log: pytest.MonkeyPatch
) -> None:
    with time_machine.travel(NOON, tick=False):
        claim(game)
    no_log.undo()
    with time_machine.travel(NOON + timedelta(hours=1), tick=False):
        outbox.flush()
    event = Event.objects.get()
    assert (event.time, event.recorded) == (NOON, NOON + timedelta(hours=1))


def test_a_log_that_is_not_available_costs_the_change_nothing(game: Game, no_log: pytest.MonkeyPatch) -> None:
    with transaction.atomic():
        claim(game)
    assert OutboxEvent.objects.get().appended is None
    with pytest.raises(LogUnavailable):
        outbox.flush()
    no_log.undo()
    assert outbox.flush() == 1
    assert outbox.flush() == 0
    assert in_the_log(game) == ["claim:1"]


def test_one_event_that_is_refused_for_ever_holds_up_no_other(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = appending.commit

    def choosy(calls: Any) -> Any:
        if any(entry.envelope.id == "claim:2" for call in calls for entry in call.entries):
            raise DataError("value too long")
        return commit(calls)

    monkeypatch.setattr(appending.committer, "_commit", choosy)
    with transaction.atomic():
        for number in (1, 2, 3):
            claim(game, number)
    assert in_the_log(game) == ["claim:1", "claim:3"]
    assert list(OutboxEvent.objects.filter(appended=None).values_list("event_id", flat=True)) == ["claim:2"]


def test_events_go_oldest_first_and_so_many_at_a_time(game: Game, no_log: pytest.MonkeyPatch) -> None:
    for number in range(5):
        claim(game, number)
    no_log.undo()
    assert outbox.flush(limit=2) == 2
    assert in_the_log(game) == ["claim:0", "claim:1"]
    assert outbox.flush() == 3


def test_append_itself_refuses_to_hide_in_a_transaction(game: Game) -> None:
    with pytest.raises(InsideTransaction, match="outbox"), transaction.atomic():
        log.append_own(
            game_id=game.pk, event_id="x", type="reward.claimed", stream="alice", data="{}", lane=Lane.URGENT
        )
    claim(game)
    OutboxEvent.objects.update(appended=None)
    with pytest.raises(InsideTransaction), transaction.atomic():
        outbox.flush()


def test_nobody_else_can_take_such_an_id_before(game: Game) -> None:
    answer = GameServer(game).post(members(id="claim:1", source=appending.OWN_SOURCE))
    assert answer.status_code == 422
    assert GameServer(game).post(members(id="claim:1", source="/mallory")).status_code == 201
    claim(game)
    assert sorted(in_the_log(game)) == ["claim:1", "claim:1"]
