"""A rebuild beside live on PostgreSQL: who waits for whom, and that urgent never waits for long."""

from queue import Queue
from threading import Thread

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.hubs.run import run
from events.lanes import Lane
from events.models import DeadLetter, Game, Replay
from events.replays import work
from players.models import Profile
from tests.events.replays.given import given_replay, rebuilt, worked_off
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.players.people import given_updates
from tests.players.test_profiles import rows

pytestmark = pytest.mark.django_db(transaction=True)

KEYS = [f"p{number:02}" for number in range(40)]


@pytest.fixture
def game() -> Game:
    game = given_game(partitions=2)
    events = [
        an_event(type="player.updated", stream=key, data={"locale": "de"}) for key in KEYS for _ in "ab"
    ]
    given_events(game, *events, lane=Lane.URGENT)
    hubs_catch_up(["profiles"])
    return game


@pytest.mark.services
def test_a_stream_is_folded_with_its_checkpoint_locked_and_then_its_players(game: Game) -> None:
    given_replay(game)
    with CaptureQueriesContext(connection) as queries:
        assert work.step(Replay.objects.get())
    sent = [query["sql"] for query in queries]
    locks = [at for at, sql in enumerate(sent) if "FOR NO KEY UPDATE" in sql]
    assert ["events_replay" in sent[locks[0]], "events_checkpoint" in sent[locks[1]]] == [True, True]
    assert "players_player" in sent[locks[2]]
    folded = [at for at, sql in enumerate(sent) if "players_profilerevision" in sql]
    assert locks[2] < min(folded)


def test_beside_live_on_other_threads_it_ends_equal_and_nothing_is_parked(game: Game) -> None:
    Profile.objects.filter(player__game=game).update(locale="xx")
    replay = given_replay(game)
    problems: Queue[Exception] = Queue()

    def live() -> None:
        try:
            for number in range(12):
                said = [
                    an_event(type="player.updated", stream=key, data={"attributes": {"n": number}})
                    for key in KEYS[::3]
                ]
                given_events(game, *said, lane=Lane.URGENT)
                run("profiles", Lane.URGENT, 1)
        except Exception as error:  # noqa: BLE001 - handed to the test
            problems.put(error)
        finally:
            connection.close()

    def again() -> None:
        try:
            while Replay.objects.filter(pk=replay.pk, state__in=["waiting", "running"]).exists():
                work.work_for(0.05)
        except Exception as error:  # noqa: BLE001 - handed to the test
            problems.put(error)
        finally:
            connection.close()

    threads = [Thread(target=live), Thread(target=again), Thread(target=again)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(90)
    assert problems.empty(), problems.get()
    worked_off(replay)
    hubs_catch_up(["profiles"])
    assert not DeadLetter.objects.exists()
    assert not Profile.objects.filter(player__game=game, locale="xx").exists()
    found = rows(game)
    assert rebuilt(game).differing == 0
    assert rows(game) == found


def test_a_game_that_nobody_has_spoken_in_has_nothing_to_rebuild() -> None:
    game = given_game()
    assert rebuilt(game).state == "done"
    given_updates(game, "alice", {"locale": "de"})
    assert rebuilt(game).streams == 1
