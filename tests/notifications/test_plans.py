"""The hot queries of this room name their indexes, on filled tables, with the planner's own settings."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest
from django.db import connection

from events.models import Game
from notifications import announcements, fanout, ledger
from notifications.decisions.views import player_views
from notifications.decisions.writing import NAMESPACE, decided
from notifications.gateway import queries
from notifications.gateway.queries import Need, Position
from notifications.inbox import Action, Kind, apply, expiry
from notifications.inbox.pages import page
from notifications.models import Announcement, AnnouncementRead, Decision, FanOut, Notification
from players.models import Player
from tests.given import given_game
from tests.plans import indexes_of, recorded

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SOON = NOON + timedelta(days=36_500)
PLAYERS, EACH = 40, 60
QUIET = 3_000
ALICE = 7  # one of the players, by place
Plans = Callable[[str, Callable[[], object]], list[set[str]]]


@pytest.fixture
def game() -> Game:
    """A game of many players, some of whom have had many notifications, most of them read; and statistics."""
    game = given_game(announcements=EACH)
    Player.objects.bulk_create(
        Player(game=game, key=f"p{place:03}", head=EACH, number=EACH, read_through=EACH - 12)
        for place in range(PLAYERS)
    )
    ids = list(Player.objects.filter(game=game).order_by("key").values_list("id", flat=True))
    Player.objects.bulk_create(Player(game=game, key=f"quiet {number}") for number in range(QUIET))
    # numbers first: rows of one player do not lie beside each other, as in life
    pairs = [(number, player) for number in range(1, EACH + 1) for player in ids]
    Notification.objects.bulk_create(a_notification(game, player, number) for number, player in pairs)
    Decision.objects.bulk_create(a_decision(game, player, number) for number, player in pairs)
    made = Announcement.objects.bulk_create(an_announcement(game, seq) for seq in range(1, 601))
    AnnouncementRead.objects.bulk_create(
        AnnouncementRead(player_id=player, announcement=made[place], seq=place, at=NOON)
        for player in ids
        for place in range(10)
    )
    FanOut.objects.bulk_create(a_fan_out(game, number) for number in range(1, 601))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return game


def uid(*parts: object) -> UUID:
    return uuid5(NAMESPACE, repr(parts))


def a_notification(game: Game, player: int, number: int) -> Notification:
    return Notification(
        uid=uid(player, number), game=game, player_id=player, rule_id=1, event_id=player * 1_000 + number,
        number=number, seq=number, notification_class="inbox", category="gifts" if number % 9 else "social",
        title="Title", body="Body", created=NOON, expires=SOON if number % 2 else None,
        read=NOON if number % 3 else None,
    )  # fmt: skip


def a_decision(game: Game, player: int, number: int) -> Decision:
    return Decision(
        game=game, rule_id=1, revision_id=1, event_id=player * 1_000 + number, player_id=player,
        player_key=str(player), outcome="sent", gates=[], place=number, now=NOON,
    )  # fmt: skip


def an_announcement(game: Game, seq: int) -> Announcement:
    return Announcement(uid=uid("announcement", seq), game=game, seq=seq, title="News", created=NOON)


def a_fan_out(game: Game, number: int) -> FanOut:
    """All but the last are done."""
    return FanOut(
        game=game, revision_id=1, event_id=number, now=NOON, total=200, created=NOON,
        finished=NOON if number < 600 else None,
    )  # fmt: skip


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> Plans:
    """Return the plans of the SELECTs on a table that some work sends."""

    def plans(table: str, work: Callable[[], object]) -> list[set[str]]:
        with recorded(monkeypatch) as statements:
            work()
        found = [indexes_of(statement) for statement in statements if table in statement[0]]
        assert found, f"the work has sent no SELECT on {table}"
        return found

    return plans


def alice(game: Game) -> Player:
    return Player.objects.get(game=game, key=f"p{ALICE:03}")


def walks(found: list[set[str]]) -> set[str]:
    """Name the tables that are walked whole."""
    return {name for plan in found for name in plan if name.startswith("SCAN")}


@pytest.mark.parametrize(
    ("before", "unread", "category"),
    [(None, False, None), (30, False, None), (None, True, None), (30, True, None), (None, False, "social")],
    ids=["first", "next", "unread", "unread, next", "category"],
)
def test_an_inbox_page_is_a_range_of_the_player_s_numbers(
    game: Game, plans: Plans, before: int | None, unread: bool, category: str | None
) -> None:
    player = alice(game)
    found = plans(
        "notifications_notification",
        lambda: page(player, before=before, limit=30, unread=unread, category=category),
    )
    assert found == [{"notification_number"}]


def test_states_find_their_rows_by_id_and_count_what_is_unread_beyond_the_mark(
    game: Game, plans: Plans
) -> None:
    player = alice(game)
    ids = tuple(uid(player.id, number) for number in (3, 55))
    actions = [
        Action(player_id=player.id, kind=Kind.ARCHIVE, ids=ids),
        Action(player_id=player.id, kind=Kind.READ, through=54),
    ]
    by_id, unread = plans("notifications_notification", lambda: apply(actions))
    assert not walks([by_id])
    assert unread == {"notification_number"}


def test_what_a_socket_lacks_is_a_range_of_its_player_s_sequences(game: Game, plans: Plans) -> None:
    ids = list(Player.objects.filter(game=game).order_by("id").values_list("id", flat=True)[:PLAYERS])
    needs = [Need(player_id=each, after=50, upto=60, epoch=1) for each in ids]
    found = plans("notifications_notification", lambda: queries.supply(needs))
    assert not walks(found) - {"SCAN g", "SCAN events_game"}  # a game is one row, which is read faster whole
    assert all("notification_seq" in plan and "announcement_read_seq" in plan for plan in found), found


def test_the_look_once_a_second_reads_players_by_id(game: Game, plans: Plans) -> None:
    ids = list(Player.objects.filter(game=game).values_list("id", flat=True)[:3])
    positions = [Position(each, cursor=0, announcements=0, epoch=1) for each in ids]
    (found,) = plans("players_player", lambda: queries.deviations(positions))
    assert found & {"players_player_pkey", "PRIMARY KEY"}
    assert not walks([found]) & {"SCAN players_player", "SCAN p"}


def test_what_is_due_is_found_among_what_can_expire_at_all(game: Game, plans: Plans) -> None:
    assert game
    found = plans("notifications_notification", lambda: list(expiry._due(NOON).order_by("expires")[:100]))
    assert found == [{"notification_expiring"}]


def test_a_player_s_decisions_are_read_in_their_order(game: Game, plans: Plans) -> None:
    player = alice(game)
    rows = Decision.objects.filter(player=player)
    for newest_first in (rows.order_by("-place")[:25], rows.filter(place__gt=20).order_by("place")[:25]):
        assert plans("notifications_decision", lambda rows=newest_first: list(rows)) == [
            {"decision_by_player"}
        ]


def test_whether_it_was_decided_before_is_asked_by_event(game: Game, plans: Plans) -> None:
    player = alice(game)
    events = [player.id * 1_000 + number for number in (1, 2, 3)]
    for work in (lambda: decided(events), lambda: decided(events[:1], [str(player.id), "nobody"])):
        assert plans("notifications_decision", work) == [{"decision_once"}]


def test_counters_and_profiles_are_read_by_id(game: Game, plans: Plans) -> None:
    ids = list(Player.objects.filter(game=game).values_list("id", flat=True)[:3])
    for work in (lambda: ledger.accounts(ids), lambda: player_views(ids)):
        assert not walks(plans("players_player", work)) & {"SCAN players_player"}


def test_announcements_after_a_sequence_are_a_range(game: Game, plans: Plans) -> None:
    found = plans("notifications_announcement", lambda: announcements.since(game.id, 590, 64))
    assert found == [{"announcement_seq"}]


def test_which_announcements_a_player_has_read_is_asked_by_both(game: Game, plans: Plans) -> None:
    player, rows = alice(game), list(Announcement.objects.order_by("seq")[:5])
    found = plans("notifications_announcementread", lambda: announcements.read_by(player.id, rows))
    assert found == [{"announcement_read_once"}]


def test_the_oldest_audience_is_looked_for_among_those_that_wait(game: Game, plans: Plans) -> None:
    assert game
    found = plans("notifications_fanout", lambda: fanout._oldest([]))
    assert any("fan_out_waiting" in plan for plan in found), found
