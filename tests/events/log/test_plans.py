"""The hot queries name their indexes, on filled tables, with the planner's own settings."""

from collections.abc import Callable

import pytest
from django.db import connection

from events.hubs import claim as claims
from events.lanes import Lane
from events.log import read
from events.log.appending import commit
from events.log.entries import Entry
from events.log.group import Call
from events.models import Game, Partition
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.given import an_event, given_events, given_game
from tests.plans import indexes_of, recorded

pytestmark = pytest.mark.django_db(transaction=True)

FILLED = 6_000


@pytest.fixture
def filled_game(recording_hub: MakeHub) -> Game:  # noqa: F811 - the fixture
    """A game with some thousand events in few streams, and statistics."""
    game = given_game(partitions=2)
    recording_hub()
    for start in range(0, FILLED, 1_000):
        given_events(
            game, *[an_event(stream=f"s{n % 50}", data={"n": n}) for n in range(start, start + 1_000)]
        )
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return game


def plans(
    monkeypatch: pytest.MonkeyPatch, work: Callable[[], object], table: str = "events_event"
) -> list[set[str]]:
    """Return the plans of the SELECTs on a table that some work sends."""
    with recorded(monkeypatch) as statements:
        work()
    found = [indexes_of(statement) for statement in statements if table in statement[0]]
    assert found, "the work has sent no SELECT on the table"
    return found


def test_append_probes_identities_and_versions_by_index(
    filled_game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = [Entry(envelope=an_event(stream=f"s{n}"), lane=Lane.NORMAL) for n in range(200)]
    found = plans(monkeypatch, lambda: commit([Call(game_id=filled_game.id, entries=entries)]))
    assert any("event_identity" in plan for plan in found)
    assert any("event_version" in plan for plan in found)
    assert not any("SCAN" in name and "events_event" in name for plan in found for name in plan)


def test_a_hub_reads_its_batch_by_index(filled_game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition.objects.filter(game=filled_game)[0]
    after = partition.head - 150
    found = plans(monkeypatch, lambda: read.batch(partition.id, Lane.NORMAL, after, 100))
    assert found == [{"event_place"}]


def test_a_stream_is_read_by_index(filled_game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    found = plans(monkeypatch, lambda: read.page(game_id=filled_game.id, stream="s7", after=50, limit=20))
    assert found == [{"event_version"}]


def test_a_partition_is_read_by_its_ids(filled_game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    partition = Partition.objects.filter(game=filled_game)[0]
    found = plans(
        monkeypatch,
        lambda: read.page(
            game_id=filled_game.id, partition_id=partition.id, after=(partition.id << 40) + 2_000, limit=20
        ),
    )
    assert found == [{"events_event_pkey"}]


def test_claiming_does_not_touch_the_event_table(filled_game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    given_events(filled_game, an_event())
    with recorded(monkeypatch) as statements:
        assert claims.take("recorder", Lane.NORMAL, 100, set()) is not None
    assert not [sql for sql, _ in statements if "events_event" in sql]
