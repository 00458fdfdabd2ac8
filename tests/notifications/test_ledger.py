"""Players' counters: read under the lock, raised, and written back in one statement."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.models import Game
from notifications import ledger
from notifications.ledger import COLUMNS, Account
from players.models import Player
from tests.given import given_game
from tests.players.people import given_player

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 11, 24, 12, 0, 0, 123456, tzinfo=UTC)
FULL: dict[str, Any] = {
    "head": 2**40, "number": 2**39, "unread": 7, "decisions": 2**41,
    "seen_through": 9, "seen_seq": 11, "seen_at": NOON, "read_through": 8, "read_seq": 10, "read_at": NOON,
}  # fmt: skip


@pytest.fixture
def game() -> Game:
    return given_game()


def stored(player: Player) -> dict[str, Any]:
    return Player.objects.filter(pk=player.pk).values(*COLUMNS).get()


def test_an_account_is_what_the_row_says(game: Game) -> None:
    alice = given_player(game, **FULL)
    account = ledger.accounts([alice.pk])[alice.pk]
    assert {name: getattr(account, name) for name in COLUMNS} == FULL
    assert (account.id, account.key, account.game_id, account.erased) == (alice.pk, "alice", game.id, False)
    assert account.began == account.head
    assert account.change(NOON) is None


def test_every_counter_is_written_back_as_it_is(game: Game) -> None:
    alice, bob = given_player(game), given_player(game, "bob", **FULL)
    accounts = ledger.accounts([alice.pk, bob.pk])
    for name, value in FULL.items():
        setattr(accounts[alice.pk], name, value)
    empty: dict[str, Any] = {name: None if name.endswith("_at") else 0 for name in COLUMNS}
    for name, value in empty.items():
        setattr(accounts[bob.pk], name, value)
    ledger.write(accounts)
    assert (stored(alice), stored(bob)) == (FULL, empty)


def test_others_and_other_columns_stay_as_they_are(game: Game) -> None:
    alice, carol = given_player(game, blocked=NOON), given_player(game, "carol", **FULL)
    account = ledger.accounts([alice.pk])[alice.pk]
    account.raise_head()
    ledger.write({alice.pk: account})
    alice.refresh_from_db()
    assert (alice.head, alice.blocked, alice.key) == (1, NOON, "alice")
    assert stored(carol) == FULL


def test_many_players_are_written_in_one_statement(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    players = [given_player(game, f"p{number}") for number in range(50)]
    accounts = ledger.accounts([each.pk for each in players])
    for number, player in enumerate(players):
        accounts[player.pk].head = number
    sent: list[str] = []

    class Counting(psycopg.Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            sent.append(str(query))
            return super().execute(query, params, **options)

    monkeypatch.setattr(psycopg, "Cursor", Counting)
    with CaptureQueriesContext(connection) as queries:
        ledger.write(accounts)
    assert len(sent) + len(queries) == 1
    assert [Player.objects.get(pk=each.pk).head for each in players] == list(range(50))


def test_nobody_changed_is_no_statement() -> None:
    with CaptureQueriesContext(connection) as queries:
        ledger.write({})
    assert len(queries) == 0


def test_a_tombstone_is_seen(game: Game) -> None:
    bob = given_player(game, "bob", erased=NOON)
    assert ledger.accounts([bob.pk])[bob.pk].erased


def test_a_player_who_is_not_there_has_no_account(game: Game) -> None:
    assert ledger.accounts([given_player(game).pk + 1]) == {}


def test_each_change_raises_the_head_by_one_and_the_hint_covers_them_all(game: Game) -> None:
    alice = given_player(game, head=41, unread=2)
    account = ledger.accounts([alice.pk])[alice.pk]
    assert [account.raise_head() for _ in range(3)] == [42, 43, 44]
    account.unread = 1
    hint = account.change(NOON)
    assert hint is not None
    assert (hint.player_id, hint.from_, hint.to) == (alice.pk, 41, 44)
    frame = json.loads(hint.frame)
    assert (frame["from"], frame["to"], frame["unread"], frame["items"]) == (41, 44, 1, [])


def test_the_hint_tells_marks_only_where_they_moved(game: Game) -> None:
    alice = given_player(game, **FULL)
    account = ledger.accounts([alice.pk])[alice.pk]
    account.raise_head()
    assert not {"seen_through", "read_through"} & set(json.loads(frame_of(account)))
    account.moved.add("read_through")
    account.announcements_read.append("a1")
    told = json.loads(frame_of(account))
    assert (told["read_through"], told["announcements_read"]) == (8, ["a1"])
    assert "seen_through" not in told


def frame_of(account: Account) -> str:
    hint = replace(account).change(NOON)
    assert hint is not None
    return hint.frame
