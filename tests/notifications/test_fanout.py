"""Large audiences: worked off in pages, each player exactly once, whatever happens between two pages."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from queue import Queue
from threading import Event as Flag
from threading import Thread
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from structlog.testing import capture_logs

from events.hubs.registry import bulk_work
from events.lanes import Lane
from events.models import Checkpoint, Event, Game
from events.tasks import run_hub
from notifications import fanout, rulebook
from notifications.decisions.projection import PLAYERS_A_BATCH
from notifications.fanout import work_for, work_page
from notifications.models import FanOut, Notification, Rule
from notifications.tasks import fan_out
from players.erasing import erase
from players.known import ensure
from players.models import Player
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.given import (
    Pushes,
    counters,
    decide,
    decisions,
    given_rule,
    notifications,
    saved_again,
)
from tests.players.people import given_player, given_updates

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PATIENCE_S = 30
EVERYBODY = [f"p{number:03}" for number in range(250)]


@pytest.fixture(autouse=True)
def _nothing_is_set_aside() -> None:
    fanout._aside.clear()


@pytest.fixture
def game() -> Game:
    """Make a game with a rule that tells all ``data.members``."""
    game = given_game(partitions=1)
    given_rule(game, audience_path="data.members", words={"en": ("to {{ player.key }}", "")})
    return game


@pytest.fixture
def rule(game: Game) -> Rule:
    return Rule.objects.get(game=game)


def given_audience(game: Game, members: list[Any] | None = None, **data: Any) -> FanOut:
    """Append an event for all of them, in the bulk lane, and let the hub find its audience."""
    event = an_event(data={"members": EVERYBODY if members is None else members, **data})
    given_events(game, event, lane=Lane.BULK)
    hubs_catch_up(["decisions"])
    return FanOut.objects.latest("id")


def next_page() -> bool:
    row = fanout._oldest(())
    return row is not None and work_page(row)


def told(game: Game) -> list[str]:
    """Return who was told, in the order in which it was decided."""
    return [row.player_key for row in decisions(game, outcome="sent")]


def everybody_once(game: Game, members: list[str] | None = None) -> bool:
    expected = sorted(EVERYBODY if members is None else members)
    titles = Notification.objects.filter(game_id=game.id).values_list("title", flat=True)
    assert sorted(told(game)) == expected
    assert sorted(titles) == [f"to {key}" for key in expected]
    assert {counters(game, key) for key in expected} == {(1, 1, 1)}
    return True


# -- pages ----------------------------------------------------------------------------------------


def test_an_audience_is_a_row_first_and_nobody_is_told_in_the_hub_s_transaction(
    game: Game, rule: Rule
) -> None:
    row = given_audience(game)
    assert (row.total, row.cursor, row.finished, row.stopped_at) == (250, 0, None, None)
    assert (row.revision_id, row.event_id, row.game_id) == (rule.revision_id, Event.objects.get().id, game.id)
    assert decisions(game) == []
    assert not Player.objects.exists()


def test_pages_follow_one_another_in_the_audience_s_order(game: Game, pushes: Pushes) -> None:
    given_audience(game)
    for expected in (100, 200, 250):
        assert next_page()
        assert told(game) == EVERYBODY[:expected]
        assert FanOut.objects.get().cursor == expected
    assert FanOut.objects.get().finished is not None
    assert not next_page()
    assert everybody_once(game)
    assert len(pushes.changes) == 250
    assert len(pushes.messages) == 3, "one message for each page"


def test_each_decision_stores_what_a_small_audience_s_would(game: Game, rule: Rule) -> None:
    given_updates(game, "p007", {"display_name": "Bond"})
    given_audience(game)
    decide()
    (made,) = decisions(game, player_key="p007")
    assert (made.rule_id, made.revision_id, made.place, made.profile_revision) == (
        rule.id,
        rule.revision_id,
        1,
        1,
    )
    assert [gate["name"] for gate in made.gates] == ["condition", "audience", "expiry"]
    assert made.notification_uid == notifications(game, "p007")[0].uid


def test_players_who_are_not_known_yet_are_made(game: Game) -> None:
    ensure(game.id, EVERYBODY[::2])
    given_audience(game)
    decide()
    assert Player.objects.filter(game=game).count() == 250
    assert everybody_once(game)


def test_somebody_who_is_named_twice_is_told_once(game: Game) -> None:
    given_audience(game, EVERYBODY + EVERYBODY)
    decide()
    assert everybody_once(game)


def test_entries_that_are_no_players_are_recorded_once(game: Game) -> None:
    given_audience(game, [7, *EVERYBODY, None])
    decide()
    assert [row.outcome for row in decisions(game, player_key="")] == ["failed"]
    assert everybody_once(game)


def test_an_audience_whose_payload_is_gone_ends(game: Game) -> None:
    given_audience(game)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE events_event SET data = NULL, salt = NULL")
    decide()
    assert FanOut.objects.get().finished is not None
    assert decisions(game) == []


def test_time_being_over_leaves_the_rest_for_the_next_turn(game: Game) -> None:
    given_audience(game)
    assert work_for(0)
    assert decisions(game) == []
    assert work_for(1e-9)
    while work_for(0.001):
        pass
    assert everybody_once(game)


@pytest.mark.parametrize("door", [lambda: run_hub("decisions", Lane.BULK), fan_out], ids=["a hint", "beat"])
def test_the_bulk_lane_s_workers_and_beat_work_them_off(game: Game, door: Callable[[], None]) -> None:
    assert fanout.work_for in bulk_work()
    given_audience(game)
    for _ in range(60):  # a turn is a fraction of a second
        if FanOut.objects.filter(finished=None).exists():
            door()
    assert everybody_once(game)


# -- exactly once ---------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [0, 1, 2])
def test_a_crash_before_a_page_s_commit_repeats_that_page_and_no_other(
    game: Game, pushes: Pushes, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    given_audience(game)
    advance, countdown = fanout._advance, [at]

    def crash(*args: Any) -> None:
        advance(*args)
        countdown[0] -= 1
        if countdown[0] == -1:
            raise SystemExit

    monkeypatch.setattr(fanout, "_advance", crash)
    for _ in range(at):
        assert next_page()
    with pytest.raises(SystemExit):
        next_page()
    assert told(game) == EVERYBODY[: at * PLAYERS_A_BATCH]
    assert len(pushes.changes) == at * PLAYERS_A_BATCH
    decide()
    assert everybody_once(game)
    assert len(pushes.changes) == 250


def test_a_fault_that_passes_ends_the_turn_and_loses_nothing(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_audience(game)
    advance, faults = fanout._advance, [OperationalError("server closed the connection")]

    def fault(*args: Any) -> None:
        if faults:
            raise faults.pop()
        advance(*args)

    monkeypatch.setattr(fanout, "_advance", fault)
    assert work_for(30), "there is work left"
    assert decisions(game) == []
    assert not work_for(30)
    assert everybody_once(game)


class Held:
    """A worker on a thread of its own that stands still inside its page's transaction."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Start, and wait until it is there."""
        self.reached, self.go = Flag(), Flag()
        self.result: Queue[bool | Exception] = Queue()
        page, held = fanout._decide, iter([True])

        def hold(*args: Any) -> Any:
            if next(held, False):
                self.reached.set()
                assert self.go.wait(PATIENCE_S)
            return page(*args)

        monkeypatch.setattr(fanout, "_decide", hold)
        self.thread = Thread(target=self._run, daemon=True)
        self.thread.start()
        assert self.reached.wait(PATIENCE_S)

    def _run(self) -> None:
        try:
            self.result.put(next_page())
        except Exception as error:  # noqa: BLE001 - handed to the test
            self.result.put(error)
        finally:
            connection.close()

    def end(self) -> bool | Exception:
        """Let it go on, and return what it came to."""
        self.go.set()
        self.thread.join(PATIENCE_S)
        return self.result.get(timeout=PATIENCE_S)


@pytest.mark.services
def test_a_second_worker_leaves_a_held_audience_and_takes_the_next(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = given_audience(game)
    second = given_audience(game, [f"q{number:03}" for number in range(120)])
    held = Held(monkeypatch)
    assert not work_for(30), "nothing is left that nobody is at"
    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.cursor, second.cursor) == (0, 120)
    assert held.end() is True
    decide()
    assert everybody_once(game, EVERYBODY + [f"q{number:03}" for number in range(120)])


@pytest.mark.services
def test_a_page_locks_its_row_then_its_players_and_only_then_writes(game: Game) -> None:
    given_audience(game)
    ensure(game.id, EVERYBODY)
    with CaptureQueriesContext(connection) as queries:
        assert next_page()
    sent = [query["sql"] for query in queries]
    locks = [at for at, sql in enumerate(sent) if "FOR NO KEY UPDATE" in sql]
    writes = [at for at, sql in enumerate(sent) if sql.startswith(("INSERT", "UPDATE"))]
    assert ["notifications_fanout" in sent[at] for at in locks] == [True, False]
    assert "players_player" in sent[locks[1]]
    assert locks[1] < min(writes)


def test_a_page_that_somebody_else_has_done_meanwhile_is_not_done_again(game: Game) -> None:
    """Both have read the same cursor; the slower one finds it moved."""
    given_audience(game)
    slow = fanout._oldest(())
    assert slow
    assert next_page()
    assert not work_page(slow)
    assert told(game) == EVERYBODY[:100]


def test_two_workers_tell_everybody_once(game: Game) -> None:
    given_audience(game)
    given_audience(game, [f"q{number:03}" for number in range(150)])
    problems: Queue[Exception] = Queue()

    def work() -> None:
        try:
            while FanOut.objects.filter(finished=None).exists():
                work_for(5)
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
    assert everybody_once(game, EVERYBODY + [f"q{number:03}" for number in range(150)])


# -- stops ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stopped_at", "expected"), [(0, 0), (50, 50), (100, 100), (130, 130), (999, 250)])
def test_nobody_beyond_the_watermark_is_told(game: Game, stopped_at: int, expected: int) -> None:
    row = given_audience(game)
    FanOut.objects.update(stopped_at=stopped_at)
    decide()
    row.refresh_from_db()
    assert told(game) == EVERYBODY[:expected]
    assert row.finished is not None


def test_a_stop_in_the_middle_of_a_turn_counts_from_the_page_that_is_being_read(game: Game) -> None:
    """The page was read before the stop; the row, locked again, says that it is not to be told."""
    given_audience(game)
    assert next_page()
    read = fanout._oldest(())
    assert read
    FanOut.objects.update(stopped_at=100)
    assert not work_page(read)
    decide()
    assert told(game) == EVERYBODY[:100]
    assert FanOut.objects.get().finished is not None


def test_a_watermark_behind_the_cursor_takes_nothing_back(game: Game) -> None:
    given_audience(game)
    assert next_page()
    FanOut.objects.update(stopped_at=30)
    decide()
    assert told(game) == EVERYBODY[:100]


def test_a_rule_that_is_switched_off_stops_its_audiences_and_leaves_the_others(
    game: Game, rule: Rule
) -> None:
    other = given_rule(game, audience_path="data.members", words={"en": ("other", "")})
    given_audience(game)
    assert next_page()
    saved_again(rule, enabled=False)
    decide()
    assert len(decisions(game, rule=rule)) == 100
    assert len(decisions(game, rule=other)) == 250
    stopped = FanOut.objects.get(revision__rule=rule)
    assert (stopped.stopped_at, stopped.cursor) == (100, 100)
    assert stopped.finished is not None
    saved_again(rule, enabled=True)
    decide()
    assert len(decisions(game, rule=rule)) == 100, "what was stopped stays stopped"


def test_an_audience_keeps_the_revision_that_found_it(game: Game, rule: Rule) -> None:
    first = rule.revision_id
    given_audience(game)
    assert next_page()
    saved_again(rule, title="new words", audience_path="data.nobody")
    decide()
    assert {row.revision_id for row in decisions(game)} == {first}
    assert everybody_once(game)


def test_an_event_that_comes_again_after_an_edit_tells_nobody_twice(game: Game, rule: Rule) -> None:
    """Only a checkpoint that was set back brings this about; the new revision makes a row of its own."""
    given_audience(game)
    decide()
    saved_again(rule, title="new words")
    Checkpoint.objects.filter(hub="decisions").update(position=0)
    decide()
    assert FanOut.objects.filter(finished=None).count() == 0
    assert FanOut.objects.count() == 2
    assert everybody_once(game)


def test_erased_players_hear_nothing_also_when_they_are_erased_halfway(game: Game) -> None:
    early, late = given_player(game, "p003"), given_player(game, "p222")
    erase(early)
    given_audience(game)
    assert next_page()
    erase(late)
    decide()
    suppressed = decisions(game, outcome="suppressed")
    assert [(row.player_key, row.gates[-1]["reason"]) for row in suppressed] == [
        ("p003", "erased"),
        ("p222", "erased"),
    ]
    assert len(told(game)) == 248
    assert not Notification.objects.filter(player__key__in=("p003", "p222")).exists()


def test_what_expires_before_its_page_is_not_shown(game: Game, rule: Rule) -> None:
    saved_again(rule, ttl_s=60)
    with time_machine.travel(NOON, tick=False):
        given_audience(game)
        assert next_page()
    assert len(told(game)) == 100
    with time_machine.travel(NOON + timedelta(seconds=60), tick=False):
        decide()
    late = decisions(game, outcome="suppressed")
    assert {row.gates[-1]["reason"] for row in late} == {"expired"}
    assert (len(told(game)), len(late)) == (100, 150)


# -- one that fails -------------------------------------------------------------------------------


def test_an_audience_that_fails_is_set_aside_said_and_holds_up_no_other(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    poisoned = given_audience(game)
    given_audience(game, [f"q{number:03}" for number in range(150)])
    page, broken, now = fanout._page, [True], [1_000.0]
    monkeypatch.setattr("notifications.fanout.time.monotonic", lambda: now[0])

    def fail(row: FanOut) -> Any:
        if broken and row.pk == poisoned.pk:
            raise ValueError("TOPSECRET")
        return page(row)

    monkeypatch.setattr(fanout, "_page", fail)
    with capture_logs() as logs:
        assert not work_for(30), "nobody comes back at once for what has failed"
        assert not work_for(30)
    assert [each["event"] for each in logs] == ["fanout.failed"], "once in a while"
    assert (logs[0]["fan_out"], logs[0]["error"]) == (poisoned.pk, "ValueError")
    assert "TOPSECRET" not in str(logs)
    assert len(told(game)) == 150
    broken.clear()
    now[0] += fanout.ASIDE_S + 1
    assert not work_for(30)
    assert len(told(game)) == 400


def test_an_audience_whose_event_is_not_there_is_a_failure_of_its_own(game: Game) -> None:
    row = given_audience(game)
    FanOut.objects.filter(pk=row.pk).update(event_id=1)
    with capture_logs() as logs:
        assert not work_for(30)
    assert [each["error"] for each in logs] == ["LookupError"]


def test_a_revision_that_cannot_be_compiled_any_more_is_one_too(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_audience(game)
    rulebook.forget()

    def compile_rule(*_: Any, **__: Any) -> Any:
        raise rulebook.RuleInvalid([("condition", "is no CEL any more")])

    monkeypatch.setattr(rulebook, "compile_rule", compile_rule)
    assert not work_for(30)
    assert FanOut.objects.get().cursor == 0
