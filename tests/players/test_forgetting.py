"""An erased player's data leaves the log too, in small steps that survive crashes."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection

from events import erasing
from events.hubs.registry import hub as registered
from events.lanes import Lane
from events.models import DeadLetter, Erasure, Event, Game, Partition, Skip
from events.models.erasures import Why
from players import forgetting, tasks
from players.erasing import erase
from players.models import Player, PlayerErasure, Profile, ProfileRevision
from players.profiles import Profiles
from tests.events.log.test_append import chain_problems
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.players.people import given_player, given_updates

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process ends here."""


def said_about(game: Game, key: str) -> list[str]:
    """Return the types of the events in a player's stream that still say something."""
    rows = Event.objects.filter(game=game, stream=key, data__isnull=False)
    return list(rows.order_by("version").values_list("type", flat=True))


def forgotten(key: str) -> bool:
    return PlayerErasure.objects.get(player__key=key).finished is not None


def work() -> None:
    while forgetting.step():
        pass


@pytest.fixture
def game() -> Game:
    """Alice and Bob have said much."""
    game = given_game(partitions=1)
    for key in ("alice", "bob"):
        given_updates(game, key, {"display_name": key}, {"locale": "de"})
        given_events(game, an_event(type="chat.said", stream=key, data={"text": "hello"}))
    hubs_catch_up()
    return game


def test_a_players_own_stream_loses_its_payloads(game: Game) -> None:
    erase(Player.objects.get(key="alice"))
    hubs_catch_up()
    work()
    assert said_about(game, "alice") == []
    assert said_about(game, "bob") == ["player.updated", "player.updated", "chat.said"]
    assert forgotten("alice")
    assert chain_problems(game.id) == []
    assert set(Erasure.objects.values_list("why", flat=True)) == {Why.PLAYER}


def test_it_waits_for_what_a_hub_still_needs_and_goes_on_then(game: Game) -> None:
    given_events(game, an_event(type="chat.said", stream="alice", data={"text": "more"}))
    erase(Player.objects.get(key="alice"))
    work()
    assert said_about(game, "alice") == ["chat.said", "player.erased"]
    assert not forgotten("alice")
    hubs_catch_up()
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1), tick=False):
        work()
    assert said_about(game, "alice") == []
    assert forgotten("alice")


def test_one_who_waits_does_not_hold_up_the_others(game: Game) -> None:
    given_events(game, an_event(type="chat.said", stream="alice", data={"text": "more"}))
    for key in ("alice", "bob"):
        erase(Player.objects.get(key=key))
    hubs_catch_up(["profiles"])
    work()
    assert said_about(game, "bob") == ["player.erased"]


def test_what_comes_later_about_them_goes_as_well(game: Game) -> None:
    erase(Player.objects.get(key="alice"))
    hubs_catch_up()
    work()
    given_updates(game, "alice", {"display_name": "Alice again"})
    assert not forgotten("alice")
    hubs_catch_up()
    work()
    assert said_about(game, "alice") == []


def test_beat_and_the_watch_do_it_in_turns(game: Game) -> None:
    erase(Player.objects.get(key="alice"))
    hubs_catch_up()
    tasks.forget()
    assert said_about(game, "alice") == []
    assert forgetting.work_for(0.1) is False


def test_long_streams_are_freed_step_by_step(game: Game) -> None:
    given_events(game, *[an_event(type="chat.said", stream="alice", data={"n": n}) for n in range(250)])
    hubs_catch_up()
    erase(Player.objects.get(key="alice"))
    hubs_catch_up()
    assert forgetting.step()
    assert len(said_about(game, "alice")) == 254 - forgetting.BATCH
    work()
    assert said_about(game, "alice") == []
    assert PlayerErasure.objects.get().erased == 254


def test_a_job_killed_between_any_two_statements_is_done_by_the_next() -> None:
    statements = 0
    while True:
        game = given_game(partitions=1)
        given_updates(game, "alice", {"display_name": "Alice"})
        erase(Player.objects.get(game=game, key="alice"))
        hubs_catch_up()
        killed = killed_after(statements)
        assert chain_problems(game.id) == [], f"killed after {statements} statements"
        work()
        assert said_about(game, "alice") == [], f"killed after {statements} statements"
        assert chain_problems(game.id) == []
        if not killed:
            break
        statements += 1
    assert statements > 5


def killed_after(statements: int) -> bool:
    left = [statements]

    def kill(execute: Callable[..., Any], *args: Any) -> Any:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return execute(*args)

    try:
        with connection.execute_wrapper(kill):
            work()
    except Killed:
        connection.close()  # as the kernel does
        return True
    return False


# -- staff erase a payload that a profile was folded from ---------------------------------------------------


def rebuilt(game: Game) -> list[dict[str, Any]]:
    """Fold everything again from the beginning, as a rebuild does."""
    Profiles.empty(game.id)
    fold = registered("profiles").projections[0]
    from events.log.read import batch  # noqa: PLC0415 - only here

    events = batch(Partition.objects.get(game=game).pk, Lane.URGENT, 0, 1_000)
    fold.apply(events, fold.prepare(events))
    return state()


def state() -> list[dict[str, Any]]:
    return [*Profile.objects.order_by("player").values(),
            *ProfileRevision.objects.order_by("player", "revision").values("player", "revision", "event", "locale",
                                                                           "display_name", "attributes")]  # fmt: skip


def test_the_profile_follows_an_erased_payload_and_equals_a_rebuild(game: Game) -> None:
    named = Event.objects.get(game=game, stream="alice", version=1)
    erasing.erase([named.pk], "olive", "a rude name")
    alice = Profile.objects.get(player__key="alice")
    assert (alice.display_name, alice.locale, alice.revision) == ("", "de", 2)
    assert not ProfileRevision.objects.filter(player__key="alice", display_name="alice").exists()
    assert Profile.objects.get(player__key="bob").display_name == "bob"
    now = state()
    assert rebuilt(game) == now


def test_what_a_dead_letter_holds_back_is_not_folded_early(game: Game) -> None:
    given_updates(game, "alice", {"display_name": "parked"})
    erasing_pk = Event.objects.get(game=game, stream="alice", version=1).pk
    parked = Event.objects.get(game=game, stream="alice", type="player.updated", version=4)
    DeadLetter.objects.create(
        hub="profiles", game=game, partition_id=parked.partition_id, lane=Lane.URGENT, stream="alice", version=4,
        event_offset=parked.offset, event_type=parked.type, cause="ValueError", traceback="", tries=3,
    )  # fmt: skip
    erasing.erase([erasing_pk], "olive", "a rude name")
    assert Profile.objects.get(player__key="alice").display_name == ""


def test_what_staff_have_skipped_is_not_folded_by_a_later_erasure(game: Game) -> None:
    given_updates(game, "alice", {"locale": "xx"})
    said = Event.objects.get(game=game, stream="alice", version=4)
    Skip.objects.create(
        hub="profiles", game=game, partition_id=said.partition_id, lane=Lane.URGENT, stream="alice", first=4, last=4,
        events=1, by="olive", reason="never valid",
    )  # fmt: skip
    erasing.erase([Event.objects.get(game=game, stream="alice", version=1).pk], "olive", "a rude name")
    assert Profile.objects.get(player__key="alice").locale == "de"


def test_a_player_without_a_job_needs_none() -> None:
    alice = given_player(given_game(), "alice")
    forgetting.go_on([alice.pk])
    assert not PlayerErasure.objects.exists()
