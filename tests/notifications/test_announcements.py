"""What a whole game is told: one row, numbered by the game's own sequence."""

import json
from datetime import UTC, datetime, timedelta
from queue import Queue
from threading import Barrier, Thread
from typing import Any

import pytest
import time_machine
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext

from events.models import Game
from notifications import announcements
from notifications.announcements import current, end, item, put, read_by, since, update
from notifications.errors import AnnouncementEnded
from notifications.models import Announcement, AnnouncementRead
from tests.given import given_game
from tests.notifications.given import Pushes
from tests.players.people import given_player

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PATIENCE_S = 30


@pytest.fixture
def game() -> Game:
    return given_game()


def head(game: Game) -> int:
    return Game.objects.get(pk=game.pk).announcements


def titles(rows: list[Announcement]) -> list[str]:
    return [row.title for row in rows]


def test_each_change_takes_the_game_s_next_sequence_and_is_pushed(game: Game, pushes: Pushes) -> None:
    first = put(game.id, title="one")
    second = put(game.id, title="two")
    assert (first.seq, second.seq) == (1, 2)
    first = update(first, title="one more", body="now")
    second = end(second)
    assert (first.seq, second.seq, head(game)) == (3, 4, 4)
    assert [(each.game_id, each.from_, each.to) for each in pushes.announced] == [
        (game.id, seq - 1, seq) for seq in (1, 2, 3, 4)
    ]
    frames = [json.loads(each.frame)["items"][0] for each in pushes.announced]
    assert [frame.get("title") for frame in frames] == ["one", "two", "one more", None]
    assert frames[3] == {"number": None, "seq": 4, "id": str(second.uid), "gone": "withdrawn"}


def test_each_game_counts_for_itself(game: Game) -> None:
    other = given_game()
    put(game.id, title="one")
    assert put(other.id, title="one").seq == 1
    assert (head(game), head(other)) == (1, 1)


def test_what_is_announced_is_kept_as_it_was_said(game: Game) -> None:
    with time_machine.travel(NOON, tick=False):
        made = put(
            game.id,
            title="Season two",
            body="Soon",
            category="season",
            data={"season": 2},
            actions=[{"id": "go"}],
            expires=NOON + timedelta(hours=1),
        )
    row = Announcement.objects.get(uid=made.uid)
    assert (row.title, row.body, row.category, row.data) == ("Season two", "Soon", "season", {"season": 2})
    assert (row.actions, row.created, row.expires) == ([{"id": "go"}], NOON, NOON + timedelta(hours=1))
    assert (row.gone, row.gone_at) == ("", None)


def test_an_update_changes_what_it_names_and_keeps_the_rest(game: Game) -> None:
    made = put(game.id, title="one", body="first", data={"a": 1})
    update(made, body="second")
    row = Announcement.objects.get()
    assert (row.uid, row.title, row.body, row.data, row.created) == (
        made.uid,
        "one",
        "second",
        {"a": 1},
        made.created,
    )


def test_an_update_keeps_what_somebody_else_has_changed_since(game: Game) -> None:
    """Two of the staff have the same announcement open."""
    mine, theirs = put(game.id, title="one", body="first"), Announcement.objects.get()
    update(theirs, body="second")
    update(mine, title="two")
    row = Announcement.objects.get()
    assert (row.title, row.body, row.seq) == ("two", "second", 3)


def test_what_has_ended_is_not_brought_back_by_a_late_update(game: Game, pushes: Pushes) -> None:
    mine = put(game.id, title="one")
    end(Announcement.objects.get())
    pushes.messages.clear()
    with pytest.raises(AnnouncementEnded):
        update(mine, title="two")
    assert (Announcement.objects.get().gone, head(game)) == ("withdrawn", 2)
    assert pushes.messages == []


def test_ending_twice_is_one_change(game: Game, pushes: Pushes) -> None:
    made = put(game.id, title="one")
    with time_machine.travel(NOON, tick=False):
        ended = end(made)
    assert end(made).gone_at == ended.gone_at == NOON
    assert head(game) == 2
    assert len(pushes.announced) == 2


@pytest.mark.parametrize("fields", [{"seq": 7}, {"gone": ""}, {"titel": "x"}])
def test_what_an_announcement_does_not_have_is_refused(game: Game, fields: dict[str, Any]) -> None:
    made = put(game.id, title="one")
    with pytest.raises(TypeError, match=next(iter(fields))):
        update(made, **fields)
    with pytest.raises(TypeError, match=next(iter(fields))):
        put(game.id, title="two", **fields)
    assert head(game) == 1


def test_current_are_those_that_have_neither_ended_nor_expired(game: Game) -> None:
    put(given_game().id, title="another game's")
    with time_machine.travel(NOON, tick=False):
        first = put(game.id, title="first")
        put(game.id, title="second")
        put(game.id, title="short", expires=NOON + timedelta(seconds=10))
        end(put(game.id, title="a mistake"))
        update(first, body="changed")
        assert titles(current(game.id)) == ["second", "short", "first"]
    with time_machine.travel(NOON + timedelta(seconds=10), tick=False):
        assert titles(current(game.id)) == ["second", "first"]


def test_what_changed_after_a_sequence_comes_in_order_ended_ones_too(game: Game) -> None:
    rows = [put(game.id, title=f"n{number}") for number in range(4)]
    end(rows[1])
    update(rows[0], title="n0 again")
    assert [(row.title, row.seq) for row in since(game.id, 0, 10)] == [
        ("n2", 3),
        ("n3", 4),
        ("n1", 5),
        ("n0 again", 6),
    ]
    assert [row.seq for row in since(game.id, 4, 10)] == [5, 6]
    assert [row.seq for row in since(game.id, 0, 2)] == [3, 4]
    assert since(game.id, 6, 10) == []


def test_many_at_once_are_numbered_without_a_hole(game: Game, pushes: Pushes) -> None:
    problems: Queue[Exception] = Queue()
    start = Barrier(4)

    def announce(number: int) -> None:
        try:
            start.wait(PATIENCE_S)
            for _ in range(5):
                end(update(put(game.id, title=f"n{number}"), body="changed"))
        except Exception as error:  # noqa: BLE001 - handed to the test
            problems.put(error)
        finally:
            connection.close()

    threads = [Thread(target=announce, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_S)
    assert problems.empty(), problems.get()
    assert head(game) == 60
    assert sorted(each.to for each in pushes.announced) == list(range(1, 61))


@pytest.mark.services
def test_the_game_s_row_is_locked_no_stronger_than_needed_before_anything_is_read(game: Game) -> None:
    made = put(game.id, title="one")
    with CaptureQueriesContext(connection) as queries:
        update(made, title="two")
    sent = [
        query["sql"] for query in queries if "events_game" in query["sql"] or "announcement" in query["sql"]
    ]
    assert "events_game" in sent[0]
    assert sent[0].endswith("FOR NO KEY UPDATE")


def test_one_that_cannot_be_written_is_not_pushed_and_takes_no_number(
    game: Game, pushes: Pushes, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = Announcement.save

    def save_and_fail(self: Announcement, *args: Any, **kwargs: Any) -> None:
        save(self, *args, **kwargs)
        raise OperationalError("the connection is closed")

    with monkeypatch.context() as broken:
        broken.setattr(announcements.Announcement, "save", save_and_fail)
        with pytest.raises(OperationalError):
            put(game.id, title="one")
    assert pushes.messages == []
    assert head(game) == 0
    assert put(game.id, title="one").seq == 1


def test_who_has_read_what_is_known_by_player(game: Game) -> None:
    alice, bob = given_player(game), given_player(game, "bob")
    first, second = put(game.id, title="one"), put(game.id, title="two")
    AnnouncementRead.objects.create(player=alice, announcement=first, seq=1, at=NOON)
    assert read_by(alice.id, [first, second]) == {first.pk: NOON}
    assert read_by(bob.id, [first, second]) == {}
    assert (item(first, NOON).read, item(second).read) == (NOON, None)
