"""Choosing streams and rebuilding them is done by index, on filled tables, in a bounded number of statements."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.lanes import Lane
from events.log import replaying
from events.log.replaying import Place
from events.models import Game, Partition, Replay
from events.replays import hold, work
from players.models import Player
from players.profiles import Profiles
from tests.events.log.test_plans import plans
from tests.events.replays.given import given_replay
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.plans import no_scan_because_it_is_small, recorded, walks

pytestmark = pytest.mark.django_db(transaction=True)

FILLED = 4_000
TYPES = ("player.",)


@pytest.fixture
def game() -> Game:
    """A game whose players have said a lot, among much else, and statistics."""
    game = given_game(partitions=2)
    for start in range(0, FILLED, 1_000):
        numbers = range(start, start + 1_000)
        given_events(game, *[an_event(stream=f"s{n % 200}", data={"n": n}) for n in numbers])
    said = [an_event(type="player.updated", stream=f"p{n % 400:03}", data={}) for n in range(1_200)]
    for start in range(0, 1_200, 400):
        given_events(game, *said[start : start + 400], lane=Lane.URGENT)
    hubs_catch_up(["profiles"])
    Player.objects.bulk_create(Player(game=game, key=f"quiet {number:04}") for number in range(6_000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return game


def test_the_walk_and_its_questions_go_by_index(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition.objects.filter(game=game)[0]
    head, lanes = partition.head, [Lane.URGENT]
    place = Place(head, "p007", 3, "player.updated")
    for work_, index in (
        (lambda: replaying.places(partition.pk, lanes, head - 300, head, 100), "event_place"),
        (lambda: replaying.places(partition.pk, list(Lane), head - 300, head, 100), "events_event_pkey"),
        (lambda: replaying.stream_after(game.pk, "p007", 1, 20, TYPES), "event_version"),
        (lambda: replaying.partition_after(partition.pk, head - 300, head, 20), "events_event_pkey"),
        (lambda: replaying.is_known_earlier(game.pk, place, 1, lanes, TYPES), "event_version"),
        (lambda: replaying.has_any(game.pk, "p007", head, lanes, TYPES), "event_version"),
        (lambda: replaying.recorded_at(partition.pk, 7), "events_event_pkey"),
    ):
        assert plans(monkeypatch, work_) in ([{index}], [{index, "PRIMARY KEY"}], [{"PRIMARY KEY"}]), index


def test_a_step_walks_no_table(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    given_replay(game)
    with recorded(monkeypatch) as statements:
        for _ in range(3):
            assert work.step(Replay.objects.get())
    tables = ("events_event", "players_player", "players_profile", "players_profilerevision")
    assert any("players_profilerevision" in sql for sql, _ in statements)
    with no_scan_because_it_is_small():
        for statement in statements:
            assert not [table for table in tables if walks(statement, table)], statement[0]


def test_strays_are_looked_for_in_the_order_of_an_index(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    (found,) = plans(monkeypatch, lambda: Profiles().streams(game.pk, "p100", 50), "players_player")
    assert found & {"player_once", "player_prefix"}, "both are by game and key"
    assert not any(name.startswith("SCAN players_player") for name in found)


def test_a_step_sends_few_statements_for_each_stream(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hold, "clock", lambda: 0.0)  # nothing takes long
    given_replay(game)
    assert work.step(Replay.objects.get())
    done = Replay.objects.get().streams
    with CaptureQueriesContext(connection) as queries:
        assert work.step(Replay.objects.get())
    streams = Replay.objects.get().streams - done
    assert streams > 1
    assert len(queries) <= 25 + 25 + 6 * streams, "what locks and counts; who is new; each stream"
