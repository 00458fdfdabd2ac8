"""``manage.py verify``, as an operator types it, and while everything goes on."""

import json
import threading

import pytest
from django.core.management import CommandError
from django.db import connection

from config.verifying import SHOWN, prove
from events.errors import LogUnavailable
from events.hubs.run import run
from events.lanes import Lane
from events.log import witnesses
from events.models import Game
from players.models import Player
from tests.config.verifying.given import act, behind_its_back, found, given_busy_game, verify
from tests.given import an_event, given_events, given_game
from tests.notifications.given import given_levels
from tests.players.people import given_player

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game() -> Game:
    return given_busy_game()


def test_a_whole_game_says_so_and_exits_with_0(game: Game) -> None:
    head = game.partition_rows.get().head
    assert verify(game.slug) == (0, f"{game.slug}: {head} events, no findings\n")


def test_findings_are_told_in_words_and_exit_with_1(game: Game) -> None:
    Player.objects.filter(key="alice").update(unread=9)
    code, said = verify(game.slug)
    assert code == 1
    assert f"{game.slug}: player alice: unread is 9, counted are 2\n" in said
    assert f"{game.slug}: what to do about inboxes: " in said


def test_every_game_is_verified_unless_some_are_named(game: Game) -> None:
    other = given_game(partitions=2)
    given_player(other, "zoe", unread=3)
    assert verify(game.slug)[0] == 0
    code, said = verify("--json")
    told = json.loads(said)
    assert (code, told["found"]) == (1, 1)
    assert {each["game"]: each["findings"] for each in told["games"]} == {
        game.slug: [],
        other.slug: ["player zoe: unread is 3, counted are 0"],
    }


def test_one_partition_may_be_verified_by_itself(game: Game) -> None:
    Player.objects.filter(key="alice").update(unread=9)
    assert verify(game.slug, "--partition", "0")[0] == 0
    behind_its_back("UPDATE events_event SET type = 'forged' WHERE id = (SELECT min(id) FROM events_event)")
    assert verify(game.slug, "--partition", "0")[0] == 1
    with pytest.raises(CommandError, match="no partition 7"):
        verify(game.slug, "--partition", "7")


def test_a_game_that_is_not_there_is_named() -> None:
    with pytest.raises(CommandError, match="no game 'nowhere'"):
        verify("nowhere")


def test_more_findings_than_anybody_reads_are_counted(game: Game) -> None:
    behind_its_back("UPDATE players_player SET unread = unread + 5")
    proof = prove(game)
    assert proof.found == Player.objects.count() > SHOWN
    assert proof.findings[SHOWN:] == [f"inboxes: and {proof.found - SHOWN} more findings"]


def test_nothing_is_found_while_everything_goes_on(game: Game) -> None:
    done, proofs = threading.Event(), 3

    def live() -> None:
        number = 10
        while not done.is_set():
            number += 1
            try:
                given_levels(game, number, number + 1, key="alice")
                given_levels(game, number, key="carol", lane=Lane.BULK)
                given_events(
                    game, an_event(type="party.began", data={"players": ["dora", "alice"], "level": 1})
                )
                for lane in Lane:
                    run("decisions", lane, 0.1)
                    run("profiles", lane, 0.1)
                act(game)
                witnesses.take()
            except LogUnavailable:  # busy: the next round says it again
                continue
        connection.close()

    living = threading.Thread(target=live)
    living.start()
    try:
        assert [found(game) for _ in range(proofs)] == [[]] * proofs
    finally:
        done.set()
        living.join()
    assert found(game) == []
