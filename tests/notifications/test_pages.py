"""Reading an inbox: newest first, page by page, and only what is there."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.models import Game
from notifications import announcements
from notifications.inbox import Action, Kind, apply
from notifications.inbox.pages import LIMIT_MAX, Page, page
from notifications.models import Notification
from tests.given import given_game
from tests.notifications.given import given_inbox, player, uids

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.fixture
def game() -> Game:
    """Make a game in which Alice has seven notifications, all new."""
    game = given_game(partitions=1)
    given_inbox(game, 7)
    return game


def a_page(game: Game, *, before: int | None = None, limit: int = 100, **how: Any) -> Page:
    return page(player(game), before=before, limit=limit, **how)


def numbers(found: Page) -> list[int]:
    return [item["number"] for item in found.items]


def do(game: Game, kind: Kind, *numbers_: int, through: int | None = None) -> None:
    ids = tuple(uids(game)[number - 1] for number in numbers_)
    apply([Action(player_id=player(game).id, kind=kind, ids=ids, through=through)])


def test_the_newest_come_first(game: Game) -> None:
    assert numbers(a_page(game)) == [7, 6, 5, 4, 3, 2, 1]
    assert a_page(game).next is None


@pytest.mark.parametrize("limit", [1, 2, 3, 6, 7, 8])
def test_pages_hold_each_notification_once(game: Game, limit: int) -> None:
    seen: list[int] = []
    before = None
    for _ in range(8):
        found = a_page(game, before=before, limit=limit)
        assert 0 < len(found.items) <= limit
        seen += numbers(found)
        before = found.next
        if before is None:
            break
        assert before == seen[-1]
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_what_comes_meanwhile_shifts_no_page(game: Game) -> None:
    first = a_page(game, limit=3)
    given_inbox(game, 2)
    do(game, Kind.ARCHIVE, 5)
    assert numbers(a_page(game, before=first.next, limit=3)) == [4, 3, 2]


@pytest.mark.parametrize("before", [0, 1])
def test_before_the_first_there_is_nothing(game: Game, before: int) -> None:
    found = a_page(game, before=before)
    assert (found.items, found.next) == ([], None)


def test_what_is_archived_gone_expired_or_live_is_not_there(game: Game) -> None:
    do(game, Kind.ARCHIVE, 2)
    Notification.objects.filter(number=3).update(gone="recalled")
    with time_machine.travel(NOON, tick=False):
        given_inbox(game, 1, ttl_s=60)
        given_inbox(game, 1, notification_class="live", ttl_s=3_600)
    with time_machine.travel(NOON + timedelta(seconds=59), tick=False):
        assert numbers(a_page(game)) == [8, 7, 6, 5, 4, 1]
    with time_machine.travel(NOON + timedelta(seconds=60), tick=False):
        assert numbers(a_page(game)) == [7, 6, 5, 4, 1], "also before the sweep has come"


def test_unread_is_what_neither_an_id_nor_the_mark_has_read(game: Game) -> None:
    do(game, Kind.READ, 6)
    do(game, Kind.READ, through=3)
    do(game, Kind.SEEN, 7)
    assert numbers(a_page(game, unread=True)) == [7, 5, 4]
    assert len(a_page(game, unread=True).items) == player(game).unread


def test_unread_is_paged_too(game: Game) -> None:
    do(game, Kind.READ, 2, 4, 6)
    first = a_page(game, unread=True, limit=2)
    assert (numbers(first), first.next) == ([7, 5], 5)
    rest = a_page(game, unread=True, limit=2, before=first.next)
    assert (numbers(rest), rest.next) == ([3, 1], None)


def test_a_category_is_a_filter(game: Game) -> None:
    given_inbox(game, 2, category="gifts")
    assert numbers(a_page(game, category="gifts")) == [9, 8]
    assert numbers(a_page(game, category="general", limit=2)) == [7, 6]
    assert numbers(a_page(game, category="nothing")) == []
    do(game, Kind.READ, 9)
    assert numbers(a_page(game, category="gifts", unread=True)) == [8]


def test_items_show_their_state_with_the_marks(game: Game) -> None:
    with time_machine.travel(NOON, tick=False):
        do(game, Kind.SEEN, through=3)
        do(game, Kind.READ, 7)
        do(game, Kind.READ, through=2)
    shown = {item["number"]: (item["seen"], item["read"]) for item in a_page(game).items}
    noon = "2026-11-24T12:00:00Z"
    assert shown == {
        7: (noon, noon), 6: (None, None), 5: (None, None), 4: (None, None),
        3: (noon, None), 2: (noon, noon), 1: (noon, noon),
    }  # fmt: skip


def test_nobody_sees_another_s_inbox(game: Game) -> None:
    given_inbox(game, 2, "bob")
    announcements.put(game.id, title="Season two")
    assert numbers(page(player(game, "bob"), before=None, limit=LIMIT_MAX)) == [2, 1]


def test_a_page_is_one_statement(game: Game) -> None:
    alice = player(game)
    with CaptureQueriesContext(connection) as queries:
        page(alice, before=None, limit=LIMIT_MAX)
    assert len(queries) == 1
