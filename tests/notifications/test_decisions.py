"""Rules meet events: one decision for each rule, event and player, and what comes of it."""

from datetime import UTC, datetime, timedelta
from queue import Queue
from threading import Thread
from typing import Any
from uuid import UUID, uuid5

import pytest
import time_machine
from django.db import OperationalError, connection
from msgspec.structs import replace

from events.hubs import claim as claims
from events.hubs import registry
from events.hubs.run import Step, run, step_once
from events.lanes import Lane
from events.models import Checkpoint, DeadLetter, Event, Game
from notifications import rulebook
from notifications.decisions import projection
from notifications.decisions.projection import Decisions
from notifications.models import Decision, Notification
from players.erasing import erase
from players.known import ensure
from players.models import Player
from tests.given import an_event, given_events, given_game
from tests.notifications.given import (
    LEVEL,
    Pushes,
    counters,
    decide,
    decisions,
    given_levels,
    given_rule,
    notifications,
    player,
    saved_again,
)
from tests.players.people import given_player, given_updates

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PATIENCE_S = 30


@pytest.fixture
def game() -> Game:
    return given_game(partitions=2)


def outcomes(game: Game) -> list[tuple[str, str]]:
    return [(row.player_key, row.outcome) for row in decisions(game)]


# -- what comes of an event -----------------------------------------------------------------------


def test_a_rule_turns_an_event_into_a_notification(game: Game) -> None:
    rule = given_rule(game, category="progress")
    given_updates(game, "alice", {"display_name": "Alice"}, {"locale": "de"})
    with time_machine.travel(NOON, tick=False):
        given_levels(game, 7)
        decide()
    event, row, alice = Event.objects.get(type=LEVEL), Notification.objects.get(), player(game)
    assert (row.title, row.body, row.category) == ("Level 7!", "Well done, Alice.", "progress")
    assert (row.number, row.seq, row.notification_class, row.created) == (1, 1, "inbox", NOON)
    assert (row.game_id, row.player_id, row.rule_id, row.event_id) == (game.id, alice.id, rule.id, event.id)
    assert (row.data, row.actions, row.gone) == ("{}", "[]", "")
    assert {row.expires, row.seen, row.read, row.archived, row.claimed, row.replaces} == {None}
    made = Decision.objects.get()
    assert (made.outcome, made.notification_uid, made.player_key) == ("sent", row.uid, "alice")
    assert (made.rule_id, made.revision_id, made.event_id) == (rule.id, rule.revision_id, event.id)
    assert (made.now, made.place, made.profile_revision) == (NOON, 1, 2)
    assert [(gate["name"], gate["passed"]) for gate in made.gates] == [
        ("condition", True),
        ("audience", True),
        ("expiry", True),
    ]


def test_each_rule_of_a_type_decides_by_itself(game: Game) -> None:
    given_rule(game, words={"en": ("first", "")})
    given_rule(game, words={"en": ("never", "")}, condition="data.level > 100")
    given_rule(game, words={"en": ("other", "")}, event_type="level.lost")
    given_rule(game, words={"en": ("off", "")}, enabled=False)
    given_rule(game, words={"en": ("second", "")}, condition="data.level >= 7")
    given_levels(game, 7)
    decide()
    assert [row.title for row in notifications(game)] == ["first", "second"]


def test_a_rule_may_name_its_players_itself(game: Game) -> None:
    given_rule(game, audience_kind="players", audience_players=["olive", "alice", "olive"])
    given_events(game, an_event(data={"level": 1}))
    decide()
    assert outcomes(game) == [("olive", "sent"), ("alice", "sent")]


def test_a_false_condition_stores_nothing(game: Game) -> None:
    given_rule(game, condition="data.level % 5 == 0")
    given_levels(game, 1, 2, 3, 4)
    decide()
    assert decisions(game) == []
    assert counters(game) == (0, 0, 0)


def test_a_live_notification_is_a_change_and_not_counted_as_unread(game: Game) -> None:
    given_rule(game, notification_class="live", ttl_s=60)
    given_levels(game, 7)
    decide()
    (row,) = notifications(game)
    assert row.expires is not None
    assert (row.notification_class, counters(game)) == ("live", (1, 1, 0))


def test_games_do_not_hear_of_each_other(game: Game) -> None:
    other = given_game()
    given_rule(game)
    given_levels(other, 7)
    decide()
    assert not Decision.objects.exists()


def test_players_appear_with_their_first_event_also_where_no_rule_asks_for_it(game: Game) -> None:
    given_events(game, an_event(type="coin.found", data={"player_id": "alice"}))
    decide()
    assert player(game).decisions == 0


def test_a_game_s_event_of_the_name_of_a_direct_post_is_none(game: Game) -> None:
    rulebook.ensure_direct(game.id)
    given_events(game, an_event(type="notification.posted", data={"players": ["alice"], "title": "You won"}))
    decide()
    assert decisions(game) == []


@pytest.mark.parametrize(
    "how",
    [
        {"data": None, "data_encoding": "", "datacontenttype": None},
        {"data": "[]", "data_encoding": "json"},
        {"data": '"text"', "data_encoding": "json"},
        {"data": "null", "data_encoding": "json"},
        {"data": '{"player_id": 7}', "data_encoding": "json"},
        {"data": '{"player_id": ""}', "data_encoding": "json"},
        {"data": "plain", "data_encoding": "text", "datacontenttype": "text/plain"},
        {"data": "AAEC", "data_encoding": "base64", "datacontenttype": "image/png"},
    ],
    ids=["none", "list", "text", "null", "number", "empty", "plain", "binary"],
)
def test_odd_data_is_a_recorded_failure_and_holds_nobody_up(game: Game, how: dict[str, Any]) -> None:
    given_rule(game, event_type=LEVEL)
    given_events(game, replace(an_event(stream="alice"), **how))
    given_levels(game, 7)
    decide()
    assert outcomes(game) == [("", "failed"), ("alice", "sent")]
    assert not DeadLetter.objects.exists()


# -- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"condition": "data.rank > 3"}, "rank is not in the event"),
        ({"condition": "data.level > 'x'"}, "condition"),
        ({"condition": "data.level"}, "not true or false"),
        ({"audience_path": "data.members"}, "data.members is not in the event"),
        ({"audience_path": "data.level"}, "1 x number, not a player's id"),
    ],
    ids=["missing variable", "wrong type", "no verdict", "nobody there", "no player"],
)
def test_a_rule_that_fails_before_a_player_is_known_is_recorded_and_stops_no_other(
    game: Game, fields: dict[str, Any], said: str
) -> None:
    failing = given_rule(game, **fields)
    given_rule(game, words={"en": ("well", "")})
    given_levels(game, 7, 8)
    decide()
    failures = decisions(game, rule=failing)
    assert [(row.player_key, row.player_id, row.place, row.outcome) for row in failures] == [
        ("", None, None, "failed")
    ] * 2
    assert said in failures[0].gates[-1]["error"]
    assert [row.title for row in notifications(game)] == ["well", "well"]
    assert not DeadLetter.objects.exists()


def test_words_that_cannot_be_written_are_a_failure_of_that_player(game: Game) -> None:
    given_rule(game, words={"en": ("{{ data.level | divided_by: data.zero }}", "")})
    given_events(game, an_event(stream="alice", data={"player_id": "alice", "level": 1, "zero": 0}))
    decide()
    (made,) = decisions(game)
    assert (made.player_key, made.outcome, made.place) == ("alice", "failed", 1)
    assert made.gates[-1]["error"].startswith("content: title:")
    assert made.notification_uid is None
    assert counters(game) == (0, 0, 0)


def test_an_error_repeats_no_value_of_the_event(game: Game) -> None:
    given_rule(game, condition="duration(data.level) > duration('1s')")
    given_events(game, an_event(data={"player_id": "alice", "level": "TOPSECRET"}))
    decide()
    (made,) = decisions(game)
    assert made.outcome == "failed"
    assert "TOPSECRET" not in str(made.gates)


def test_entries_that_are_no_players_are_recorded_and_the_others_are_told(game: Game) -> None:
    given_rule(game, audience_path="data.members")
    given_events(game, an_event(data={"members": ["alice", 7, "bob"], "level": 1}))
    decide()
    assert outcomes(game) == [("", "failed"), ("alice", "sent"), ("bob", "sent")]


def test_a_rule_that_cannot_be_used_any_more_stops_no_other(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a revision was saved by another release; whoever would try to compile it would park every stream."""
    broken = given_rule(game)
    given_rule(game, words={"en": ("well", "")})
    compiling = rulebook.compile_rule

    def compile_rule(definition: Any, **ids: int) -> Any:
        if ids["rule_id"] == broken.id:
            raise rulebook.RuleInvalid([("condition", "is no CEL any more")])
        return compiling(definition, **ids)

    monkeypatch.setattr(rulebook, "compile_rule", compile_rule)
    rulebook.forget()
    given_levels(game, 7)
    decide()
    assert [row.title for row in notifications(game)] == ["well"]
    assert not DeadLetter.objects.exists()


# -- numbers and places ---------------------------------------------------------------------------


def test_numbers_sequences_and_places_have_no_holes_and_follow_the_stream(game: Game) -> None:
    given_rule(game)
    given_rule(game, condition="data.level % 2 == 0", words={"en": ("even", "")})
    given_rule(game, ttl_s=1, words={"en": ("too late", "")})
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    for key in ("alice", "bob"):
        given_levels(game, *range(1, 41), key=key, time=long_ago)
    decide()
    for key in ("alice", "bob"):
        rows, made = notifications(game, key), decisions(game, player_key=key)
        assert counters(game, key) == (60, 60, 60)
        assert [row.number for row in rows] == [row.seq for row in rows] == list(range(1, 61))
        levels = [row.title for row in rows if row.title != "even"]
        assert levels == [f"Level {level}!" for level in range(1, 41)]
        assert [row.place for row in made] == list(range(1, 101))
        assert player(game, key).decisions == 100


def test_the_id_of_a_notification_follows_from_rule_event_and_player(game: Game) -> None:
    rule = given_rule(game)
    given_levels(game, 7)
    decide()
    namespace, event = UUID("6f9d0c7e-6d0f-5a57-9a55-7b1f0c6f3f2a"), Event.objects.get()
    expected = uuid5(namespace, f'[{game.id},{rule.id},"/tests","{event.event_id}","alice"]')
    assert [row.uid for row in notifications(game)] == [expected]


def test_a_decision_names_the_revision_that_made_it(game: Game) -> None:
    rule = given_rule(game)
    first = rule.revision_id
    given_levels(game, 1)
    decide()
    rule = saved_again(rule, title="Now {{ data.level }}")
    given_levels(game, 2)
    decide()
    assert [row.revision_id for row in decisions(game)] == [first, rule.revision_id]
    assert [row.title for row in notifications(game)] == ["Level 1!", "Now 2"]


# -- exactly once ---------------------------------------------------------------------------------


class Crash:
    """Ends the work at the moment before its commit, as often as it is told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *errors: BaseException) -> None:
        """Stand just before the checkpoint is moved: everything is written, nothing is committed."""
        self.errors = list(errors)
        advance = claims.advance

        def crash(*args: Any) -> None:
            advance(*args)
            if self.errors:
                raise self.errors.pop(0)

        monkeypatch.setattr(claims, "advance", crash)


def test_a_crash_after_the_work_and_before_its_commit_leaves_nothing(
    game: Game, pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_rule(game)
    given_player(game)
    given_levels(game, 1, 2, 3)
    Crash(monkeypatch, SystemExit(), OperationalError("server closed the connection"))
    with pytest.raises(SystemExit):
        run("decisions", Lane.NORMAL)
    assert decisions(game) == notifications(game) == pushes.messages == []
    assert counters(game) == (0, 0, 0)
    Checkpoint.objects.update(noted_at=None)  # a second later
    assert step_once(registry.hub("decisions"), Lane.NORMAL) is Step.FAULT
    assert counters(game) == (0, 0, 0)
    decide()
    assert counters(game) == (3, 3, 3)
    assert outcomes(game) == [("alice", "sent")] * 3
    assert [(change.from_, change.to) for change in pushes.changes] == [(0, 3)]
    assert not DeadLetter.objects.exists()


def test_a_batch_that_comes_again_changes_nothing(game: Game, pushes: Pushes) -> None:
    """No crash brings it about, but a hand that sets a checkpoint back does: not even then a second time."""
    given_rule(game)
    given_rule(game, condition="data.rank > 3")
    given_levels(game, 1, 2, 3)
    decide()
    before = rows_of(game)
    pushes.messages.clear()
    Checkpoint.objects.filter(hub="decisions").update(position=0)
    given_levels(game, 4)
    decide()
    assert rows_of(game)[: len(before)] == before
    assert counters(game) == (4, 4, 4)
    assert [(change.from_, change.to) for change in pushes.changes] == [(3, 4)]
    assert not DeadLetter.objects.exists()


def rows_of(game: Game) -> list[Any]:
    return list(Decision.objects.filter(game_id=game.id).order_by("id").values_list())


def test_an_event_that_is_sent_again_is_told_once(game: Game) -> None:
    given_rule(game)
    given_levels(game, 7, id="e1")
    decide()
    given_levels(game, 7, id="e1")
    decide()
    assert counters(game) == (1, 1, 1)


def test_two_workers_decide_each_event_once(game: Game) -> None:
    given_rule(game)
    given_rule(game, audience_path="data.friends", words={"en": ("friend", "")})
    keys = [f"p{number}" for number in range(12)]
    for number in range(240):
        key, friend = keys[number % 12], keys[(number * 7) % 12]
        data = {"player_id": key, "level": number, "friends": [friend]}
        given_events(game, an_event(stream=key, data=data))
    problems: Queue[Exception] = Queue()

    def work() -> None:
        try:
            while claims.work_waits("decisions", Lane.NORMAL):
                step_once(registry.hub("decisions"), Lane.NORMAL)
        except Exception as error:  # noqa: BLE001 - handed to the test
            problems.put(error)
        finally:
            connection.close()

    workers = [Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE_S)
    assert problems.empty(), problems.get()
    assert Decision.objects.count() == Notification.objects.count() == 480
    for key in keys:
        rows = notifications(game, key)
        assert [row.number for row in rows] == list(range(1, len(rows) + 1))
        assert counters(game, key) == (len(rows), len(rows), len(rows))
        levels = [int(row.title[6:-1]) for row in rows if row.title != "friend"]
        assert levels == sorted(levels)


# -- between prepare and apply --------------------------------------------------------------------


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Call what is put in here once, between the hub's ``prepare`` and its transaction."""
    calls: list[Any] = []
    prepare = Decisions.prepare

    def prepare_then_something_happens(self: Decisions, events: Any) -> Any:
        prepared = prepare(self, events)
        while calls:
            calls.pop()()
        return prepared

    monkeypatch.setattr(projection.Decisions, "prepare", prepare_then_something_happens)
    return calls


def test_a_rule_that_is_saved_meanwhile_counts_from_the_next_batch_on(
    game: Game, meanwhile: list[Any]
) -> None:
    """The new audience is larger; it must not be told with locks that were taken for the old one."""
    rule = given_rule(game)

    def widen() -> None:
        saved_again(rule, audience_path="data.everybody", title="wide")
        rulebook.forget()

    meanwhile.append(widen)
    data = {"player_id": "alice", "everybody": ["bob", "carol"], "level": 1}
    given_events(game, an_event(data=data))
    decide()
    assert [(row.player_key, row.revision_id) for row in decisions(game)] == [("alice", rule.revision_id)]
    given_events(game, an_event(data=data))
    decide()
    assert [row.player_key for row in decisions(game)] == ["alice", "bob", "carol"]


def test_a_player_who_appears_meanwhile_is_the_same_player(game: Game, meanwhile: list[Any]) -> None:
    given_rule(game)
    meanwhile.append(lambda: ensure(game.id, ["alice"]))
    given_levels(game, 7)
    decide()
    assert Player.objects.filter(game=game).count() == 1
    assert counters(game) == (1, 1, 1)


def test_a_profile_that_changes_meanwhile_is_the_one_that_counts(game: Game, meanwhile: list[Any]) -> None:
    given_rule(game, words={"en": ("hello", ""), "de": ("hallo", "")})
    meanwhile.append(lambda: given_updates(game, "alice", {"locale": "de"}))
    given_levels(game, 7)
    decide()
    assert [row.title for row in notifications(game)] == ["hallo"]
    assert [row.profile_revision for row in decisions(game)] == [1]


def test_a_player_who_is_erased_meanwhile_hears_nothing(game: Game, meanwhile: list[Any]) -> None:
    given_rule(game)
    alice = given_player(game)
    meanwhile.append(lambda: erase(alice))
    given_levels(game, 7)
    decide()
    assert [(row.outcome, row.gates[-1]["reason"]) for row in decisions(game)] == [("suppressed", "erased")]
    assert notifications(game) == []


# -- erased players -------------------------------------------------------------------------------


def test_an_erased_player_s_notifications_go_and_none_come_back(game: Game, pushes: Pushes) -> None:
    given_rule(game)
    given_levels(game, 1, 2)
    given_levels(game, 1, key="bob")
    decide()
    erase(player(game))
    decide()
    assert notifications(game) == []
    assert counters(game) == (2, 2, 0)
    pushes.messages.clear()
    given_levels(game, 3)
    decide()
    assert notifications(game) == pushes.messages == []
    assert decisions(game, player_key="alice")[-1].gates[-1]["values"] == {"erased": True}
    assert counters(game) == (2, 2, 0)
    assert counters(game, "bob") == (1, 1, 1)


def test_an_event_that_claims_an_erasure_erases_nothing(game: Game) -> None:
    given_rule(game)
    given_levels(game, 1)
    decide()
    lie = an_event(type="player.erased", stream="alice", data={"player_id": "alice"})
    given_events(game, lie, lane=Lane.URGENT)
    decide()
    assert counters(game) == (1, 1, 1)
    assert len(notifications(game)) == 1
