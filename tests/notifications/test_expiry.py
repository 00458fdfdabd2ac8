"""The sweep: what expires while unread becomes a change, so that counters and devices stay true."""

import json
from datetime import UTC, datetime, timedelta
from threading import Thread

import pytest
import time_machine
from django.conf import settings
from django.db import IntegrityError, OperationalError, connection

from events.hubs.registry import bulk_work
from events.models import Game
from notifications import ledger
from notifications.inbox import Action, Kind, apply, expiry
from notifications.inbox.expiry import BATCH, expire_due, work_for
from notifications.models import Notification
from notifications.tasks import expire
from players.erasing import erase
from tests.given import given_game
from tests.notifications.given import (
    Pushes,
    counters,
    decide,
    given_inbox,
    given_levels,
    given_rule,
    notifications,
    player,
)

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
TTL_S = 60
PATIENCE_S = 30


@pytest.fixture
def game() -> Game:
    return given_game(partitions=1)


def given_at_noon(
    game: Game, count: int = 1, key: str = "alice", ttl_s: int | None = TTL_S, **fields: object
) -> None:
    """Let a player get something at noon that expires a minute later."""
    with time_machine.travel(NOON, tick=False):
        given_inbox(game, count, key, ttl_s=ttl_s, **fields)


def swept(seconds_after_noon: float) -> int:
    with time_machine.travel(NOON + timedelta(seconds=seconds_after_noon), tick=False):
        return expire_due()


def do(game: Game, kind: Kind, *numbers: int, through: int | None = None, key: str = "alice") -> None:
    ids = [row.uid for row in notifications(game, key) if row.number in numbers]
    apply([Action(player_id=player(game, key).id, kind=kind, ids=tuple(ids), through=through)])


def test_what_expires_unread_is_a_change_and_gone(game: Game, pushes: Pushes) -> None:
    given_at_noon(game)
    pushes.messages.clear()
    assert swept(TTL_S - 0.001) == 0
    assert counters(game) == (1, 1, 1)
    assert swept(TTL_S) == 1
    (row,) = notifications(game)
    assert (row.gone, row.gone_at, row.seq) == ("expired", NOON + timedelta(seconds=TTL_S), 2)
    assert counters(game) == (2, 1, 0)
    (hint,) = pushes.changes
    frame = json.loads(hint.frame)
    assert (hint.from_, hint.to, frame["unread"]) == (1, 2, 0)
    assert frame["items"] == [{"number": 1, "seq": 2, "id": str(row.uid), "gone": "expired"}]


def test_a_second_sweep_changes_nothing(game: Game, pushes: Pushes) -> None:
    given_at_noon(game, 3)
    assert swept(TTL_S) == 3
    pushes.messages.clear()
    assert swept(TTL_S + 1) == 0
    assert counters(game) == (6, 3, 0)
    assert pushes.messages == []


def test_what_stays_is_left_alone(game: Game) -> None:
    given_at_noon(game, ttl_s=None)
    given_at_noon(game, ttl_s=3_600)
    given_at_noon(game)
    assert swept(TTL_S) == 1
    assert [row.gone for row in notifications(game)] == ["", "", "expired"]
    assert counters(game) == (4, 3, 2)


def test_live_ones_do_not_count_and_are_no_change(game: Game) -> None:
    given_at_noon(game, notification_class="live")
    assert counters(game) == (1, 1, 0)
    assert swept(TTL_S) == 0
    assert counters(game) == (1, 1, 0)


@pytest.mark.parametrize("kind", [Kind.READ, Kind.ARCHIVE])
def test_what_was_read_or_archived_expires_without_a_change(game: Game, kind: Kind) -> None:
    given_at_noon(game, 2)
    do(game, kind, 1)
    assert counters(game) == (3, 2, 1)
    assert swept(TTL_S) == 1
    assert [row.gone for row in notifications(game)] == ["", "expired"]
    assert counters(game) == (4, 2, 0)


def test_what_a_mark_has_read_expires_without_a_change_and_is_not_met_again(
    game: Game, pushes: Pushes
) -> None:
    """If it stayed due it would be found by every sweep, and a hundred of them would stop all others."""
    given_at_noon(game, 3)
    with time_machine.travel(NOON + timedelta(seconds=5), tick=False):
        do(game, Kind.READ, through=2)
    pushes.messages.clear()
    assert swept(TTL_S) == 3
    assert [(row.gone, row.seq) for row in notifications(game)] == [("", 1), ("", 2), ("expired", 5)]
    assert {row.read for row in notifications(game)[:2]} == {NOON + timedelta(seconds=5)}
    assert counters(game) == (5, 3, 0)
    assert [(hint.from_, hint.to) for hint in pushes.changes] == [(4, 5)]
    assert swept(TTL_S + 1) == 0


def test_what_was_only_seen_counts_until_it_expires(game: Game) -> None:
    given_at_noon(game)
    do(game, Kind.SEEN, 1)
    assert swept(TTL_S) == 1
    assert counters(game) == (3, 1, 0)


def test_changes_of_many_players_are_one_message_and_each_player_s_are_in_order(
    game: Game, pushes: Pushes
) -> None:
    for key in ("alice", "bob"):
        given_at_noon(game, 3, key)
    pushes.messages.clear()
    assert swept(TTL_S) == 6
    assert len(pushes.messages) == 1
    for key in ("alice", "bob"):
        assert [row.seq for row in notifications(game, key)] == [4, 5, 6]
        assert counters(game, key) == (6, 3, 0)


def test_the_longest_overdue_go_first_and_all_in_the_end(game: Game) -> None:
    given_at_noon(game, 2, ttl_s=50)
    given_at_noon(game, 2, ttl_s=40)
    with time_machine.travel(NOON + timedelta(seconds=TTL_S), tick=False):
        assert expire_due(limit=2) == 2
        assert [row.gone for row in notifications(game)] == ["", "", "expired", "expired"]
        assert expire_due(limit=2) == 2
        assert expire_due(limit=2) == 0
    assert counters(game) == (8, 4, 0)


def test_a_turn_sweeps_batch_after_batch(game: Game) -> None:
    given_at_noon(game, BATCH + 20)
    with time_machine.travel(NOON + timedelta(seconds=TTL_S), tick=False):
        assert work_for(0), "no time, and so there may be work left"
        assert counters(game)[2] == BATCH + 20
        assert not work_for(30)
    assert counters(game) == (2 * (BATCH + 20), BATCH + 20, 0)


def test_the_task_sweeps(game: Game) -> None:
    given_at_noon(game)
    with time_machine.travel(NOON + timedelta(seconds=TTL_S), tick=False):
        expire()
    assert counters(game) == (2, 1, 0)


def test_beat_asks_for_it_and_whoever_drains_lanes_by_age_does_it_too() -> None:
    """Nothing's correctness depends on beat, or on a broker."""
    assert "notifications.expire" in {each["task"] for each in settings.CELERY_BEAT_SCHEDULE.values()}
    assert work_for in bulk_work()


def test_a_sweep_that_is_broken_off_leaves_nothing(
    game: Game, pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_at_noon(game, 2)
    pushes.messages.clear()

    def away(_: object) -> None:
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "write", away)
        with pytest.raises(OperationalError):
            swept(TTL_S)
    assert [row.gone for row in notifications(game)] == ["", ""]
    assert counters(game) == (2, 2, 2)
    assert pushes.messages == []
    assert swept(TTL_S) == 2
    assert counters(game) == (4, 2, 0)


def test_a_fault_that_passes_ends_the_turn_and_stops_nobody_else_s_work(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_at_noon(game)
    faults: list[Exception] = [OperationalError("the connection is closed"), IntegrityError("a defect")]
    with monkeypatch.context() as broken:
        broken.setattr(expiry, "expire_due", lambda: (_ for _ in ()).throw(faults.pop(0)))
        assert not work_for(30)
        with pytest.raises(IntegrityError):
            work_for(30)
    with time_machine.travel(NOON + timedelta(seconds=TTL_S), tick=False):
        assert not work_for(30)
    assert counters(game) == (2, 1, 0)


@pytest.mark.services
@pytest.mark.parametrize("kind", [Kind.READ, Kind.ARCHIVE])
def test_a_player_who_is_faster_than_the_sweep_wins(
    game: Game, monkeypatch: pytest.MonkeyPatch, kind: Kind
) -> None:
    """The sweep has found the row; before it has the player's lock, the player reads or archives it."""
    given_at_noon(game)
    locking = expiry.lock_players

    def act_first(ids: frozenset[int]) -> None:
        other = Thread(target=lambda: (do(game, kind, 1), connection.close()))
        other.start()
        other.join(PATIENCE_S)
        assert not other.is_alive()
        locking(ids)

    monkeypatch.setattr(expiry, "lock_players", act_first)
    swept(TTL_S)
    (row,) = notifications(game)
    assert (row.gone, row.seq) == ("", 2)
    assert (row.read is not None, row.archived is not None) == (kind is Kind.READ, kind is Kind.ARCHIVE)
    assert counters(game) == (2, 1, 0)


def test_two_sweeps_at_once_change_each_row_once(game: Game) -> None:
    given_at_noon(game, 40)
    given_at_noon(game, 40, "bob")

    def sweep() -> None:
        work_for(30)
        connection.close()

    with time_machine.travel(NOON + timedelta(seconds=TTL_S), tick=False):
        threads = [Thread(target=sweep) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE_S)
    for key in ("alice", "bob"):
        assert counters(game, key) == (80, 40, 0)
        assert sorted(row.seq for row in notifications(game, key)) == list(range(41, 81))


def test_an_erased_player_has_nothing_that_could_expire(game: Game) -> None:
    given_at_noon(game, 2)
    erase(player(game))
    decide()
    assert not Notification.objects.exists()
    assert swept(TTL_S) == 0


def test_what_the_event_itself_ends_expires_then(game: Game) -> None:
    given_rule(game, ttl_s=3_600)
    with time_machine.travel(NOON, tick=False):
        given_levels(game, 7, expires=NOON + timedelta(seconds=10))
        decide()
    assert swept(10) == 1
    assert counters(game) == (2, 1, 0)
