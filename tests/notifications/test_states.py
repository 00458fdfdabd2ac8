"""Read, seen, archived: each id is one change, a mark is one change in all, and repeats are none."""

import json
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from events.models import Game
from notifications import announcements, ledger
from notifications.inbox import Action, Kind, Result, apply
from notifications.models import AnnouncementRead, Notification
from players.erasing import erase
from tests.given import given_game
from tests.notifications.given import Pushes, counters, given_inbox, notifications, player, uids
from tests.players.people import given_player

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PATIENCE_S = 30


@pytest.fixture
def game() -> Game:
    """Make a game in which Alice has five notifications, all new."""
    game = given_game(partitions=1)
    given_inbox(game, 5)
    return game


def do(game: Game, kind: Kind, *ids: UUID, through: int | None = None, key: str = "alice") -> Result:
    alice = player(game, key)
    return apply([Action(player_id=alice.id, kind=kind, ids=tuple(ids), through=through)])[alice.id]


def stamped(game: Game, name: str) -> list[int]:
    """Return the numbers of the notifications that have this state by their own row."""
    return [row.number for row in notifications(game) if getattr(row, name) is not None]


# -- ids ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "unread", "states"),
    [
        (Kind.SEEN, 5, {"seen": [2, 4], "read": [], "archived": []}),
        (Kind.READ, 3, {"seen": [2, 4], "read": [2, 4], "archived": []}),
        (Kind.ARCHIVE, 3, {"seen": [2, 4], "read": [], "archived": [2, 4]}),
    ],
)
def test_each_id_is_one_change(game: Game, kind: Kind, unread: int, states: dict[str, list[int]]) -> None:
    ids = uids(game)
    with time_machine.travel(NOON, tick=False):
        assert do(game, kind, ids[3], ids[1]) == Result(head=7, unread=unread)
    assert {name: stamped(game, name) for name in states} == states
    assert [row.seq for row in notifications(game)] == [1, 7, 3, 6, 5], (
        "in the order in which they were named"
    )
    assert notifications(game)[1].seen == NOON
    assert counters(game) == (7, 5, unread)


@pytest.mark.parametrize("kind", list(Kind))
def test_repeats_change_nothing(game: Game, pushes: Pushes, kind: Kind) -> None:
    ids = uids(game)
    first = do(game, kind, ids[0], ids[0])
    assert first.head == 6
    pushes.messages.clear()
    assert do(game, kind, ids[0]) == first
    assert pushes.messages == []


def test_states_go_forward_only(game: Game) -> None:
    ids = uids(game)
    assert do(game, Kind.SEEN, ids[0]) == Result(head=6, unread=5)
    assert do(game, Kind.READ, ids[0]) == Result(head=7, unread=4)
    assert do(game, Kind.SEEN, ids[0]) == Result(head=7, unread=4)
    assert do(game, Kind.ARCHIVE, ids[0]) == Result(head=8, unread=4)
    assert do(game, Kind.READ, ids[0]) == Result(head=8, unread=4)


def test_what_was_archived_unread_may_still_be_read_and_is_not_counted_twice(game: Game) -> None:
    ids = uids(game)
    assert do(game, Kind.ARCHIVE, ids[0]).unread == 4
    assert do(game, Kind.READ, ids[0]) == Result(head=7, unread=4)


def test_others_ids_and_unknown_ones_are_no_changes(game: Game) -> None:
    given_inbox(game, 2, "bob")
    theirs = uids(game, "bob")
    for kind in Kind:
        assert do(game, kind, *theirs, uuid4()) == Result(head=5, unread=5)
    assert counters(game, "bob") == (2, 2, 2)
    assert [row.seq for row in notifications(game, "bob")] == [1, 2]


def test_what_is_gone_cannot_be_changed_any_more(game: Game) -> None:
    ids = uids(game)
    Notification.objects.filter(uid=ids[0]).update(gone="recalled")
    for kind in Kind:
        assert do(game, kind, ids[0]).head == 5


def test_a_live_notification_is_read_without_being_counted(game: Game) -> None:
    ids = given_inbox(game, 1, notification_class="live", ttl_s=60)
    assert counters(game) == (6, 6, 5)
    assert do(game, Kind.READ, ids[5]) == Result(head=7, unread=5)


def test_nothing_to_do_is_nothing(game: Game, pushes: Pushes) -> None:
    pushes.messages.clear()
    assert do(game, Kind.READ) == Result(head=5, unread=5)
    assert apply([]) == {}
    assert pushes.messages == []


# -- marks ----------------------------------------------------------------------------------------


def test_a_mark_is_one_change_in_all(game: Game) -> None:
    with time_machine.travel(NOON, tick=False):
        assert do(game, Kind.READ, through=3) == Result(head=6, unread=2)
    alice = player(game)
    assert (alice.read_through, alice.read_seq, alice.read_at) == (3, 6, NOON)
    assert (alice.seen_through, alice.seen_seq, alice.seen_at) == (3, 6, NOON), "what is read is seen"
    assert [row.seq for row in notifications(game)] == [1, 2, 3, 4, 5], "no row is touched"
    assert stamped(game, "read") == []


def test_a_seen_mark_leaves_unread_as_it_is(game: Game) -> None:
    assert do(game, Kind.SEEN, through=4) == Result(head=6, unread=5)
    alice = player(game)
    assert (alice.seen_through, alice.seen_seq, alice.read_through, alice.read_seq) == (4, 6, 0, 0)


@pytest.mark.parametrize("kind", [Kind.SEEN, Kind.READ])
def test_marks_only_move_forward(game: Game, kind: Kind) -> None:
    first = do(game, kind, through=3)
    for through in (3, 2, 0):
        assert do(game, kind, through=through) == first
    assert do(game, kind, through=4).head == first.head + 1


def test_a_read_mark_behind_the_seen_mark_leaves_that_one(game: Game) -> None:
    do(game, Kind.SEEN, through=5)
    assert do(game, Kind.READ, through=2) == Result(head=7, unread=3)
    alice = player(game)
    assert (alice.seen_through, alice.seen_seq) == (5, 6)
    assert (alice.read_through, alice.read_seq) == (2, 7)


def test_a_mark_goes_no_further_than_the_newest_notification(game: Game) -> None:
    """Or what comes next would be read before anybody has it."""
    assert do(game, Kind.READ, through=10**9) == Result(head=6, unread=0)
    assert player(game).read_through == 5
    given_inbox(game, 1)
    assert counters(game) == (7, 6, 1)


def test_a_mark_in_an_empty_inbox_is_no_change() -> None:
    game = given_game()
    given_player(game)
    assert do(game, Kind.READ, through=7) == Result(head=0, unread=0)
    assert player(game).read_at is None


def test_archive_knows_no_mark(game: Game) -> None:
    assert do(game, Kind.ARCHIVE, through=3) == Result(head=5, unread=5)


def test_marks_and_ids_agree_about_what_is_unread(game: Game) -> None:
    ids = uids(game)
    do(game, Kind.READ, ids[1], ids[3])
    do(game, Kind.ARCHIVE, ids[4])
    assert do(game, Kind.READ, through=2).unread == 1
    assert do(game, Kind.READ, ids[0], ids[1]) == Result(head=9, unread=1), "the mark has read them"
    assert do(game, Kind.SEEN, ids[0]) == Result(head=9, unread=1)
    assert do(game, Kind.READ, ids[2]) == Result(head=10, unread=0)


def test_ids_and_a_mark_of_the_same_moment_are_counted_once(game: Game) -> None:
    """A gateway gathers what a player's devices say; the mark counts rows that are not written yet."""
    ids, alice = uids(game), player(game)
    actions = [
        Action(player_id=alice.id, kind=Kind.READ, ids=(ids[3],)),
        Action(player_id=alice.id, kind=Kind.ARCHIVE, ids=(ids[4],)),
        Action(player_id=alice.id, kind=Kind.READ, through=2),
        Action(player_id=alice.id, kind=Kind.READ, ids=(ids[0], ids[2])),
    ]
    assert apply(actions)[alice.id] == Result(head=9, unread=0)
    assert counters(game) == (9, 5, 0)


# -- announcements --------------------------------------------------------------------------------


def test_reading_an_announcement_raises_the_player_s_head_once(game: Game, pushes: Pushes) -> None:
    row = announcements.put(game.id, title="Season two")
    pushes.messages.clear()
    assert do(game, Kind.READ, row.uid, row.uid) == Result(head=6, unread=5)
    assert do(game, Kind.READ, row.uid) == Result(head=6, unread=5)
    read = AnnouncementRead.objects.get()
    assert (read.player_id, read.announcement_id, read.seq) == (player(game).id, row.pk, 6)
    (hint,) = pushes.changes
    assert json.loads(hint.frame)["announcements_read"] == [str(row.uid)]


@pytest.mark.parametrize("kind", [Kind.SEEN, Kind.ARCHIVE])
def test_an_announcement_is_only_read(game: Game, kind: Kind) -> None:
    row = announcements.put(game.id, title="Season two")
    assert do(game, kind, row.uid).head == 5
    assert not AnnouncementRead.objects.exists()


def test_another_game_s_announcement_is_none_of_mallory_s(game: Game) -> None:
    theirs = announcements.put(given_game().id, title="Not for you")
    assert do(game, Kind.READ, theirs.uid) == Result(head=5, unread=5)
    assert not AnnouncementRead.objects.exists()


def test_an_announcement_that_has_ended_cannot_be_read_any_more(game: Game) -> None:
    row = announcements.put(game.id, title="Season two")
    announcements.end(row)
    assert do(game, Kind.READ, row.uid).head == 5


def test_two_players_read_the_same_announcement_in_one_moment(game: Game) -> None:
    bob, alice = given_player(game, "bob"), player(game)
    row = announcements.put(game.id, title="Season two")
    results = apply([Action(player_id=each.id, kind=Kind.READ, ids=(row.uid,)) for each in (alice, bob)])
    assert (results[alice.id].head, results[bob.id].head) == (6, 1)


# -- pushes ---------------------------------------------------------------------------------------


def test_all_devices_are_told_the_new_state(game: Game, pushes: Pushes) -> None:
    ids = uids(game)
    pushes.messages.clear()
    with time_machine.travel(NOON, tick=False):
        do(game, Kind.READ, ids[0])
        do(game, Kind.READ, through=2)
    one, mark = (json.loads(hint.frame) for hint in pushes.changes)
    assert (one["from"], one["to"], one["unread"]) == (5, 6, 4)
    assert (one["items"][0]["id"], one["items"][0]["read"]) == (str(ids[0]), "2026-11-24T12:00:00Z")
    assert {"read_through", "seen_through"}.isdisjoint(one)
    assert (mark["from"], mark["to"], mark["unread"], mark["items"]) == (6, 7, 3, [])
    assert (mark["read_through"], mark["seen_through"]) == (2, 2)


def test_many_players_actions_are_one_transaction_and_one_message(game: Game, pushes: Pushes) -> None:
    given_inbox(game, 2, "bob")
    pushes.messages.clear()
    alice, bob = player(game), player(game, "bob")
    results = apply(
        [
            Action(player_id=bob.id, kind=Kind.READ, through=2),
            Action(player_id=alice.id, kind=Kind.SEEN, ids=tuple(uids(game)[:2])),
            Action(player_id=bob.id, kind=Kind.ARCHIVE, ids=tuple(uids(game, "bob"))),
        ]
    )
    assert results == {alice.id: Result(head=7, unread=5), bob.id: Result(head=5, unread=0)}
    assert len(pushes.messages) == 1
    assert {(hint.player_id, hint.from_, hint.to) for hint in pushes.changes} == {
        (alice.id, 5, 7),
        (bob.id, 2, 5),
    }


def test_nothing_is_pushed_and_nothing_kept_when_it_cannot_be_written(
    game: Game, pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    pushes.messages.clear()

    def away(_: Any) -> None:
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as broken:
        broken.setattr(ledger, "write", away)
        with pytest.raises(OperationalError):
            do(game, Kind.READ, *uids(game))
    assert pushes.messages == []
    assert counters(game) == (5, 5, 5)
    assert stamped(game, "read") == []


def test_what_has_expired_is_read_without_being_shown_again(game: Game, pushes: Pushes) -> None:
    with time_machine.travel(NOON, tick=False):
        ids = given_inbox(game, 1, ttl_s=60)
    pushes.messages.clear()
    with time_machine.travel(NOON + timedelta(seconds=61), tick=False):
        assert do(game, Kind.READ, ids[-1]) == Result(head=7, unread=5)
    (hint,) = pushes.changes
    assert (hint.from_, hint.to, json.loads(hint.frame)["items"]) == (6, 7, [])


# -- who, and at once -----------------------------------------------------------------------------


def test_an_erased_player_changes_nothing(game: Game) -> None:
    ids, announced = uids(game), announcements.put(game.id, title="Season two")
    alice = player(game)
    erase(alice)
    for kind in Kind:
        result = apply([Action(player_id=alice.id, kind=kind, ids=(*ids, announced.uid), through=3)])
        assert result[alice.id].head == 5
    assert not AnnouncementRead.objects.exists()


def test_a_player_who_is_not_there_is_left_out(game: Game) -> None:
    assert apply([Action(player_id=10**6, kind=Kind.READ, through=1)]) == {}
    assert counters(game) == (5, 5, 5)


def test_two_devices_at_once_make_each_change_once(game: Game) -> None:
    ids, both = uids(game), Barrier(2)

    def read_all() -> None:
        both.wait(PATIENCE_S)
        for uid in ids:
            do(game, Kind.READ, uid)
        do(game, Kind.READ, through=5)
        connection.close()

    threads = [Thread(target=read_all) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert counters(game) == (11, 5, 0)
    assert sorted(row.seq for row in notifications(game)) == [6, 7, 8, 9, 10]


@pytest.mark.services
def test_players_are_locked_before_anything_is_read(game: Game) -> None:
    given_inbox(game, 1, "bob")
    alice, bob = player(game), player(game, "bob")
    with CaptureQueriesContext(connection) as queries:
        apply([Action(player_id=each.id, kind=Kind.READ, through=1) for each in (bob, alice)])
    sent = [
        query["sql"] for query in queries if "notifications_" in query["sql"] or "players_" in query["sql"]
    ]
    assert sent[0].endswith("ORDER BY id FOR NO KEY UPDATE")
    assert sum("FOR NO KEY UPDATE" in sql for sql in sent) == 1


def test_many_ids_cost_as_many_statements_as_one(game: Game) -> None:
    rows = [announcements.put(game.id, title=f"news {number}").uid for number in range(6)]

    def statements(*ids: UUID) -> int:
        with CaptureQueriesContext(connection) as queries:
            do(game, Kind.READ, *ids)
        return len(queries)

    ids = uids(game)
    one = statements(ids[0], rows[0])
    assert statements(*ids[1:], *rows[1:]) == one
