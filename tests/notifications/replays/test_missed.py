"""What a rule has missed is decided late, once, and first as a dry run that writes nothing."""

from datetime import UTC, datetime, timedelta
from queue import Queue
from threading import Thread
from typing import Any

import pytest
import time_machine
from django.db import connection, transaction

from events import outbox
from events.errors import ReplayRefused
from events.hubs.run import run
from events.lanes import Lane
from events.models import Checkpoint, DeadLetter, Event, Game, Replay, Retention, Skip, Sweep
from events.replays import control, work
from events.retention import sweeping
from notifications import fanout
from notifications.models import Decision, FanOut, Notification
from notifications.replays import missed
from players.erasing import erase
from players.models import Player
from tests.events.hubs.test_killed import Killed, Killing
from tests.events.replays.given import worked_off
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.given import (
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
from tests.notifications.replays.given import given_missed, given_real, left, made_up_for, outcomes, tried

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def game() -> Game:
    return given_game(partitions=2)


def everything() -> dict[str, Any]:
    """Return all rows that deciding could touch."""
    tables = (Decision, Notification, FanOut, Player, Checkpoint)
    return {table.__name__: list(table.objects.order_by("pk").values()) for table in tables}


def sent(game: Game) -> list[tuple[str, str]]:
    rows = Notification.objects.filter(game_id=game.id).order_by("player__key", "number")
    return list(rows.values_list("player__key", "title"))


# -- the dry run ----------------------------------------------------------------------------------


def test_a_dry_run_counts_what_would_come_of_it_and_writes_nothing(game: Game) -> None:
    rule = given_missed(game, keys=("alice", "bob"), condition="data.level > 1")
    erase(player(game, "bob"))
    decide()
    outbox.flush()
    before = everything()
    replay = tried(rule)
    assert everything() == before
    assert outcomes(replay) == {"sent": 2, "suppressed": 2}
    assert replay.result["counts"]["reasons"] == {"erased": 2}
    assert left(replay) == {"condition false": 2}
    assert (replay.result["players"], replay.result["players_exact"]) == (1, True)
    assert (replay.state, replay.trial, replay.events, replay.done) == ("done", True, 6, replay.total)


def test_a_dry_run_makes_no_player(game: Game) -> None:
    given_levels(game, 1)
    hubs_catch_up(["decisions"])
    rule = given_rule(game, audience_kind="players", audience_players=["zoe"])
    assert outcomes(tried(rule)) == {"sent": 1}
    assert not Player.objects.filter(key="zoe").exists()


def test_samples_name_events_and_players_and_no_words(game: Game) -> None:
    rule = given_missed(game, *range(1, 9))
    (samples,) = tried(rule).result["samples"].values()
    assert len(samples) == 5
    assert samples[0] == [Event.objects.get(stream="alice", version=1).pk, "alice"]


def test_what_was_decided_before_is_told_apart(game: Game) -> None:
    rule = given_rule(game)
    given_levels(game, 1, 2)
    decide()
    saved_again(rule, enabled=False)
    given_levels(game, 3)
    decide()
    saved_again(rule, enabled=True)
    replay = tried(rule)
    assert (outcomes(replay), left(replay)) == ({"sent": 1}, {"already decided": 2})


def test_a_large_audience_is_counted_player_by_player(game: Game) -> None:
    members = [f"p{number:03}" for number in range(700)]
    given_events(game, an_event(data={"members": members}))
    decide()
    rule = given_rule(game, audience_path="data.members", words={"en": ("hi", "")})
    replay = tried(rule)
    assert outcomes(replay) == {"sent": 700}
    assert not replay.result["players_exact"]
    assert replay.result["players"] == pytest.approx(700, rel=0.2)


# -- for real -------------------------------------------------------------------------------------


def test_what_was_missed_is_decided_as_live_would_have_and_says_that_it_is_late(
    game: Game, pushes: Pushes
) -> None:
    rule = given_missed(game, 7, 8)
    replay = made_up_for(rule)
    assert sent(game) == [("alice", "Level 7!"), ("alice", "Level 8!")]
    assert counters(game) == (2, 2, 2)
    rows = decisions(game)
    assert [(row.rule_id, row.revision_id, row.replay_id, row.place) for row in rows] == [
        (rule.id, rule.revision_id, replay.pk, 1),
        (rule.id, rule.revision_id, replay.pk, 2),
    ]
    assert [gate["name"] for gate in rows[0].gates] == ["condition", "audience", "expiry"]
    assert [change.to for change in pushes.changes] == [2]
    assert outcomes(replay) == {"sent": 2}
    given_levels(game, 9)
    decide()
    assert decisions(game)[-1].replay_id is None, "live's say nothing"


def test_twice_is_once(game: Game, pushes: Pushes) -> None:
    rule = given_missed(game)
    made_up_for(rule)
    before, told = everything(), len(pushes.changes)
    again = made_up_for(rule)
    assert everything() == before
    assert len(pushes.changes) == told
    assert (outcomes(again), left(again)) == ({}, {"already decided": 3})


def test_only_the_part_that_was_asked_for(game: Game) -> None:
    with time_machine.travel(NOON, tick=False) as clock:
        for level in range(1, 6):
            given_levels(game, level)
            clock.shift(timedelta(minutes=1))
        hubs_catch_up(["decisions"])
        rule = given_rule(game)
        made_up_for(rule, begins="2026-11-24T12:01", ends="2026-11-24T12:03")
    assert [title for _, title in sent(game)] == ["Level 2!", "Level 3!"]


def test_only_from_a_place_on() -> None:
    game = given_game(partitions=1)
    rule = given_missed(game, 1, 2, 3, 4)
    made_up_for(rule, begins="0:2", ends="0:3")
    assert [title for _, title in sent(game)] == ["Level 2!", "Level 3!"]


def test_what_has_expired_since_stays_unsaid_and_the_decision_says_so(game: Game) -> None:
    with time_machine.travel(NOON, tick=False):
        rule = given_missed(game, 7, ttl_s=60)
    with time_machine.travel(NOON + timedelta(minutes=2), tick=False):
        replay = tried(rule)
        assert replay.result["counts"]["reasons"] == {"expired": 1}
        made_up_for(rule)
    assert sent(game) == []
    (row,) = decisions(game)
    assert (row.outcome, row.gates[-1]["reason"], row.now) == (
        "suppressed",
        "expired",
        NOON + timedelta(minutes=2),
    )


def test_erased_players_hear_nothing_also_when_they_are_erased_after_the_dry_run(game: Game) -> None:
    rule = given_missed(game, 7)
    trial = tried(rule)
    assert outcomes(trial) == {"sent": 1}
    erase(player(game))
    worked_off(missed.start_for_real(trial, by="olive", reason="x"))
    assert sent(game) == []
    assert [row.gates[-1]["reason"] for row in decisions(game)] == ["erased"]


def test_events_beyond_the_checkpoint_are_left_to_live(game: Game) -> None:
    rule = given_missed(game, 1)
    given_levels(game, 2)
    replay = made_up_for(rule)
    assert outcomes(replay) == {"sent": 1}
    assert sent(game) == [("alice", "Level 1!")]
    decide()
    assert [(row.replay_id is not None) for row in decisions(game)] == [True, False]


def test_a_parked_stream_is_left_to_its_letter(game: Game) -> None:
    rule = given_missed(game, 1, 2, 3)
    event = Event.objects.get(stream="alice", version=2)
    letter = DeadLetter.objects.create(
        hub="decisions", game=game, partition_id=event.partition_id, lane=event.lane, stream="alice", version=2,
        event_offset=event.offset, event_type=event.type, cause="KeyError", traceback="", tries=3,
    )  # fmt: skip
    replay = made_up_for(rule)
    assert (outcomes(replay), left(replay)) == ({"sent": 1}, {"to live": 2})
    DeadLetter.objects.filter(pk=letter.pk).update(resolved=NOON)
    assert outcomes(made_up_for(rule)) == {"sent": 2}
    assert [title for _, title in sent(game)] == ["Level 1!", "Level 2!", "Level 3!"]


def test_what_staff_have_skipped_is_never_decided(game: Game) -> None:
    rule = given_missed(game, 1, 2, 3)
    event = Event.objects.get(stream="alice", version=2)
    Skip.objects.create(
        hub="decisions", game=game, partition_id=event.partition_id, lane=event.lane, stream="alice", first=2, last=2,
        events=1, by="olive", reason="a mistake of the game",
    )  # fmt: skip
    replay = made_up_for(rule)
    assert (outcomes(replay), left(replay)) == ({"sent": 2}, {"skipped by staff": 1})
    assert [title for _, title in sent(game)] == ["Level 1!", "Level 3!"]


def test_a_stream_that_is_parked_between_reading_and_deciding_is_left(game: Game) -> None:
    rule = given_missed(game, 1, 2)
    replay = given_real(rule)
    event = Event.objects.get(stream="alice", version=2)
    stands = replay
    prepared = missed.DecideMissed().prepare(stands)
    DeadLetter.objects.create(
        hub="decisions", game=game, partition_id=event.partition_id, lane=event.lane, stream="alice", version=2,
        event_offset=event.offset, event_type=event.type, cause="KeyError", traceback="", tries=3,
    )  # fmt: skip

    with transaction.atomic():
        missed.DecideMissed().work(stands, prepared)
    assert decisions(game) == [], "what was prepared is no longer true"
    assert outcomes(worked_off(replay)) == {"sent": 1}


def test_events_whose_payload_is_gone_are_not_judged_by_it(game: Game) -> None:
    rule = given_missed(game, 1, 2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_event SET data = NULL, salt = NULL WHERE version = 1")
    replay = made_up_for(rule)
    assert (outcomes(replay), left(replay)) == ({"sent": 1}, {"without payload": 1})
    assert [row.outcome for row in decisions(game)] == ["sent"]


def test_a_large_audience_is_worked_off_in_pages_and_its_decisions_name_the_replay(game: Game) -> None:
    members = [f"p{number:03}" for number in range(250)]
    given_events(game, an_event(data={"members": members}))
    decide()
    rule = given_rule(game, audience_path="data.members", words={"en": ("hi", "")})
    replay = made_up_for(rule)
    assert left(replay) == {"to pages": 250}
    assert sorted(row.player_key for row in decisions(game)) == members
    assert {row.replay_id for row in decisions(game)} == {replay.pk}
    again = tried(rule)
    assert (outcomes(again), left(again)) == ({}, {"already decided": 250})


def test_many_players_make_several_short_transactions(game: Game) -> None:
    for number in range(6):
        given_events(game, an_event(data={"members": [f"p{number}-{n}" for n in range(40)]}))
    hubs_catch_up(["decisions"])
    rule = given_rule(game, audience_path="data.members", words={"en": ("hi", "")})
    replay = given_real(rule)
    before = 0
    for _ in range(20):
        if not work.step(Replay.objects.get(pk=replay.pk)):
            break
        made = Decision.objects.count()
        assert made - before <= 100
        before = made
    assert before == 240


def test_other_rules_and_types_decide_nothing_by_it(game: Game) -> None:
    given_rule(game, slug="other")
    given_levels(game, 1)
    given_events(game, an_event(type="friend.online", data={"player_id": "alice"}))
    hubs_catch_up(["decisions"])
    before = len(decisions(game))
    rule = given_rule(game, slug="late")
    made_up_for(rule)
    assert len(decisions(game)) == before + 1


# -- who may follow whom --------------------------------------------------------------------------


def test_the_real_thing_needs_a_dry_run_of_the_rule_as_it_is(game: Game) -> None:
    rule = given_missed(game)
    trial = tried(rule)
    saved_again(rule, title="new words")
    with pytest.raises(ReplayRefused, match="was changed since the dry run"):
        missed.start_for_real(trial, by="olive", reason="x")
    trial = tried(rule)
    saved_again(rule, enabled=False)
    with pytest.raises(ReplayRefused, match="switched off"):
        missed.start_for_real(trial, by="olive", reason="x")
    assert not Replay.objects.filter(trial=False).exists()


def test_one_dry_run_is_followed_once(game: Game) -> None:
    trial = tried(given_missed(game))
    first = missed.start_for_real(trial, by="olive", reason="x")
    with pytest.raises(ReplayRefused, match=f"begun before, as replay {first.pk}"):
        missed.start_for_real(trial, by="olive", reason="x")
    control.cancel([first], "olive", "no")
    assert missed.start_for_real(trial, by="olive", reason="x")


def test_a_rule_that_is_switched_off_meanwhile_pauses_it(game: Game) -> None:
    rule = given_missed(game)
    replay = given_real(rule)
    saved_again(rule, enabled=False)
    replay = worked_off(replay)
    assert (replay.state, replay.error) == ("paused", "the rule was switched off")
    assert decisions(game) == []
    saved_again(rule, enabled=True)
    control.resume([replay], "olive", "on again")
    assert outcomes(worked_off(replay)) == {"sent": 3}


# -- crashes and company --------------------------------------------------------------------------


def killed_after(replay: Replay, statements: int) -> bool:
    killing = Killing(statements)
    try:
        with connection.execute_wrapper(killing):
            worked_off(replay)
    except Killed:
        connection.close()
        return True
    return False


def test_killed_between_any_two_statements_everybody_is_told_once() -> None:
    statements = 0
    while True:
        game = given_game(partitions=1)
        rule = given_missed(game, 1, 2, keys=("alice", "bob"))
        replay = given_real(rule)
        killed = killed_after(replay, statements)
        replay = worked_off(replay)
        assert outcomes(replay) == {"sent": 4}, f"killed after {statements} statements"
        assert {counters(game, key) for key in ("alice", "bob")} == {(2, 2, 2)}
        if not killed:
            break
        statements += 2
    assert statements > 20


def test_beside_live_and_a_drain_that_comes_again_everybody_is_told_once(game: Game) -> None:
    """Live decides about the same events once more, because its checkpoints are set back meanwhile."""
    keys = tuple(f"p{number}" for number in range(12))
    rule = given_missed(game, 1, 2, 3, keys=keys)
    replay = given_real(rule)
    problems: Queue[Exception] = Queue()

    def live() -> None:
        try:
            for _ in range(10):
                Checkpoint.objects.filter(hub="decisions", lane=Lane.NORMAL).update(position=0, noted_by=None)
                run("decisions", Lane.NORMAL, 0.2)
        except Exception as error:  # noqa: BLE001 - handed to the test
            problems.put(error)
        finally:
            connection.close()

    def late() -> None:
        try:
            while Replay.objects.filter(pk=replay.pk, state__in=["waiting", "running"]).exists():
                work.work_for(0.05)
        except Exception as error:  # noqa: BLE001 - handed to the test
            problems.put(error)
        finally:
            connection.close()

    threads = [Thread(target=live), Thread(target=late), Thread(target=late)]
    for thread in threads:
        thread.start()
    hubs_catch_up(["decisions"])
    for thread in threads:
        thread.join(60)
    assert problems.empty(), problems.get()
    hubs_catch_up(["decisions"])
    assert not DeadLetter.objects.exists()
    assert worked_off(replay).state == "done"
    assert len(decisions(game)) == 36
    assert {counters(game, key) for key in keys} == {(3, 3, 3)}
    for key in keys:
        assert [row.number for row in notifications(game, key)] == [1, 2, 3]


def test_an_audience_that_live_is_working_off_is_told_once(game: Game) -> None:
    rule = given_rule(game, audience_path="data.members", words={"en": ("hi", "")})
    members = [f"p{number:03}" for number in range(150)]
    given_events(game, an_event(data={"members": members}))
    hubs_catch_up(["decisions"])
    row = fanout._oldest(())
    assert row
    fanout.work_page(row)
    saved_again(rule, title="new words")
    made_up_for(rule)
    assert sorted(row.player_key for row in decisions(game)) == members
    assert {counters(game, key) for key in members} == {(1, 1, 1)}


# -- retention ------------------------------------------------------------------------------------


def test_where_decisions_were_removed_nothing_is_decided_again(game: Game) -> None:
    with time_machine.travel(NOON - timedelta(days=40), tick=False):
        rule = given_missed(game, 1, 2)
        made_up_for(rule)
    with time_machine.travel(NOON, tick=False):
        given_levels(game, 3)
        hubs_catch_up(["decisions"])
        Retention.objects.create(game=game, decision_days=30)
        sweeping.make_missing()
        pk = Sweep.objects.get(name="decisions").pk
        assert sweeping.sweep_once(pk)
        assert [row.outcome for row in decisions(game)] == ["sent"]
        replay = made_up_for(rule)
    assert left(replay)["decisions of that time are gone"] == 2
    assert [title for _, title in sent(game)] == ["Level 1!", "Level 2!", "Level 3!"]
