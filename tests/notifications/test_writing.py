"""From decisions to rows: numbers, sequences, ids that are the same everywhere, and one hint for each player."""

import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.db import IntegrityError, transaction
from structlog.testing import capture_logs

from events.log.logged import LoggedEvent
from notifications.decisions.writing import Writer, decided, notification_uid
from notifications.engine import Content, Decision, NotificationClass, Outcome
from notifications.ledger import accounts
from notifications.models import Decision as DecisionRow
from notifications.models import Notification
from notifications.push import Change
from players.models import Player
from tests.given import given_game
from tests.players.people import given_player

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DECIDED = NOON - timedelta(seconds=1)
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def an_event(pk: int = 5, *, trace: str = "") -> LoggedEvent:
    return LoggedEvent(
        id=pk, game_id=1, partition_id=1, offset=pk, lane=1, stream="s", version=pk, source="/tests",
        event_id=f"e{pk}", type="level.reached", subject=None, time=NOON, recorded=NOON, expires=None,
        data=None, data_encoding="", traceparent=trace,
    )  # fmt: skip


def a_decision(player: str = "alice", *, rule: int = 7, class_: str = "inbox", sent: bool = True) -> Decision:
    content = Content(
        title="Title", body="Body", category="social", class_=NotificationClass(class_),
        data={"level": 7, "name": "Ἀλίκη"}, actions=({"id": "join"},), expires=None, locale="en",
    )  # fmt: skip
    return Decision(
        rule_id=rule, revision_id=70, event_id="e", player=player, gates=(), now=DECIDED, profile_revision=3,
        outcome=Outcome.SENT if sent else Outcome.SUPPRESSED, content=content if sent else None,
    )  # fmt: skip


def test_the_id_of_a_notification_never_changes() -> None:
    """Devices and other channels remember it: a literal, so that no release may give others."""
    assert notification_uid(1, 2, ("/a", "3"), "alice") == UUID("b1cfa871-6773-5305-8b03-20db74bce342")


E = ("/a", "3")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, 2, E, "alice"), (2, 2, E, "alice")),
        ((1, 2, E, "alice"), (1, 3, E, "alice")),
        ((1, 2, E, "alice"), (1, 2, ("/a", "4"), "alice")),
        ((1, 2, E, "alice"), (1, 2, ("/b", "3"), "alice")),
        ((1, 2, E, "alice"), (1, 2, E, "bob")),
        ((1, 2, ("/a", "3:4"), "a"), (1, 2, ("/a:3", "4"), "a")),
        ((1, 2, ("/a", '3","a'), "b"), (1, 2, E, 'a","b')),
        ((1, 23, E, "a"), (12, 3, E, "a")),
    ],
)
def test_other_rules_events_and_players_have_other_ids(
    one: tuple[int, int, tuple[str, str], str], other: tuple[int, int, tuple[str, str], str]
) -> None:
    assert notification_uid(*one) != notification_uid(*other)


@pytest.fixture
def alice() -> Player:
    return given_player(given_game(), head=10, number=4, unread=2, decisions=20)


def write(
    *noted: tuple[LoggedEvent, Decision, Player | None], known: frozenset[object] = frozenset()
) -> list[Change]:
    """Write these in one transaction, as a hub or a page does."""
    ids = {each.id for _, _, each in noted if each}
    with transaction.atomic():
        writer = Writer(now=NOON, accounts=accounts(ids), decided=known)  # type: ignore[arg-type]
        for event, decision, player in noted:
            writer.note(event, decision, player.id if player else None)
        return writer.write()


def test_a_sent_decision_takes_the_next_number_and_sequence(alice: Player) -> None:
    write((an_event(), a_decision(), alice))
    row, made = Notification.objects.get(), DecisionRow.objects.get()
    assert (row.number, row.seq, row.created) == (5, 11, NOON)
    assert (json.loads(row.data), json.loads(row.actions)) == (
        {"level": 7, "name": "Ἀλίκη"},
        [{"id": "join"}],
    )
    assert row.uid == made.notification_uid == notification_uid(1, 7, ("/tests", "e5"), "alice")
    assert (made.place, made.profile_revision, made.now) == (21, 3, DECIDED)
    alice.refresh_from_db()
    assert (alice.head, alice.number, alice.unread, alice.decisions) == (11, 5, 3, 21)


def test_what_is_not_sent_takes_a_place_and_no_number(alice: Player) -> None:
    assert write((an_event(), a_decision(sent=False), alice)) == []
    alice.refresh_from_db()
    assert (alice.head, alice.number, alice.unread, alice.decisions) == (10, 4, 2, 21)
    assert DecisionRow.objects.get().notification_uid is None
    assert not Notification.objects.exists()


def test_what_is_live_is_not_counted_as_unread(alice: Player) -> None:
    write((an_event(), a_decision(class_="live"), alice))
    alice.refresh_from_db()
    assert (alice.head, alice.number, alice.unread) == (11, 5, 2)


def test_a_failure_without_a_player_belongs_to_nobody() -> None:
    write((an_event(), a_decision("", sent=False), None))
    made = DecisionRow.objects.get()
    assert (made.player_key, made.player_id, made.place) == ("", None, None)


def test_several_changes_of_a_player_are_one_hint_with_all_of_them(alice: Player) -> None:
    bob = given_player(alice.game, "bob")
    first, second = an_event(5, trace=TRACE), an_event(6)
    hints = write(
        (first, a_decision(), alice),
        (first, a_decision("bob"), bob),
        (second, a_decision(), alice),
        (second, a_decision("bob", sent=False), bob),
    )
    assert [(each.player_id, each.from_, each.to) for each in hints] == [(alice.id, 10, 12), (bob.id, 0, 1)]
    frame = json.loads(hints[0].frame)
    assert (frame["type"], frame["from"], frame["to"], frame["unread"]) == ("changes", 10, 12, 4)
    assert [(item["seq"], item["number"]) for item in frame["items"]] == [(11, 5), (12, 6)]
    assert [item["id"] for item in frame["items"]] == [
        str(row.uid) for row in Notification.objects.filter(player=alice).order_by("seq")
    ]
    assert hints[0].traces == (f"e5 {TRACE}", "e6 ")


def test_what_was_decided_before_is_left_as_it_is_and_said(alice: Player) -> None:
    write((an_event(), a_decision(), alice))
    known = decided([5])
    assert known == {(5, 7, "alice")}
    with capture_logs() as logs:
        hints = write((an_event(), a_decision(), alice), (an_event(6), a_decision(), alice), known=known)
    assert [(each["event"], each["count"]) for each in logs] == [("decisions.repeated", 1)]
    assert [(each.from_, each.to) for each in hints] == [(11, 12)]
    assert [row.number for row in Notification.objects.order_by("number")] == [5, 6]


def test_what_is_asked_about_some_players_names_no_others(alice: Player) -> None:
    bob = given_player(alice.game, "bob")
    write((an_event(), a_decision(), alice), (an_event(), a_decision("bob"), bob))
    assert decided([5], ["bob", "carol"]) == {(5, 7, "bob")}
    assert decided([]) == frozenset()


@pytest.mark.parametrize("player", ["alice", ""])
def test_the_database_itself_refuses_a_second_decision(alice: Player, player: str) -> None:
    noted = (an_event(), a_decision(player, sent=bool(player)), alice if player else None)
    write(noted)
    with pytest.raises(IntegrityError):
        write(noted)
    assert DecisionRow.objects.count() == 1


def test_a_decision_that_cannot_be_written_leaves_no_counter_behind(alice: Player) -> None:
    write((an_event(), a_decision(), alice))
    with pytest.raises(IntegrityError):
        write((an_event(6), a_decision(), alice), (an_event(), a_decision(), alice))
    alice.refresh_from_db()
    assert (alice.head, alice.number, alice.decisions) == (11, 5, 21)
