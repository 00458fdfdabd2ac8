"""Verifying goes beyond the chain: versions are counted, and an erased payload stays erased."""

from typing import Any

import pytest
from django.db import connection

from events.lanes import Lane
from events.log.erasing import Cause, erase_payloads, places
from events.log.verify import verify_partition
from events.models import Event, Game, Partition
from events.models.erasures import Why
from tests.events.log.test_append import chain_problems
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game() -> Game:
    """Six events of two streams in one partition, in three lanes, with and without data."""
    game = given_game(partitions=1)
    for lane in Lane:
        given_events(game, an_event(stream="alice", data={"n": lane}), an_event(stream="bob"), lane=lane)
    return game


def behind_its_back(game: Game, change: str, offset: int, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            f'UPDATE events_event SET {change} WHERE game_id = %s AND "offset" = %s',
            [*values, game.pk, offset],
        )


def found(game: Game) -> list[str]:
    return [problem.partition(": ")[2] for problem in chain_problems(game.pk)]


def test_a_log_that_append_wrote_is_whole(game: Game) -> None:
    assert found(game) == []


def test_an_empty_partition_is_whole() -> None:
    assert verify_partition(Partition.objects.get(game=given_game(partitions=1)).pk) == []


def test_every_payload_may_be_erased(game: Game) -> None:
    everything = Event.objects.filter(game=game).values_list("id", flat=True)
    assert erase_payloads(places(everything), Cause(why=Why.STAFF)) == 3  # the others have none
    assert not Event.objects.filter(game=game, data__isnull=False).exists()
    assert found(game) == []


def test_an_erased_payload_cannot_be_replaced_by_another(game: Game) -> None:
    behind_its_back(game, "data = %s, salt = NULL", 3, '{"n": 99}')
    assert found(game) == ["the payload at offset 3 is not the one that was appended"]


@pytest.mark.parametrize("change", ["data = NULL", "data = ''", "salt = %s"])
def test_a_payload_that_was_taken_in_part_is_found(game: Game, change: str) -> None:
    values = [bytes(16)] if "%s" in change else []
    behind_its_back(game, change, 3, *values)
    assert found(game) == ["the payload at offset 3 is not the one that was appended"]


def test_a_hole_in_a_streams_versions_is_found_and_counted(game: Game) -> None:
    behind_its_back(game, "version = 9", 5)
    assert found(game) == ["stream alice is at version 9 and has 3 events", "the chain breaks at offset 5"]


def test_a_digest_that_was_renewed_breaks_at_the_next_event(game: Game) -> None:
    behind_its_back(game, "digest = %s", 3, bytes(32))
    assert found(game) == ["the chain breaks at offset 3", "the chain breaks at offset 4"]


def test_all_that_is_wrong_is_found_in_one_pass(game: Game) -> None:
    behind_its_back(game, "type = 'forged'", 2)
    behind_its_back(game, "data = 'forged'", 5)
    Partition.objects.update(bulk_head=0)
    assert found(game) == [
        "the chain breaks at offset 2",
        "the payload at offset 5 is not the one that was appended",
        "bulk head is 0, the last event of that lane is at 6",
    ]
    assert Event.objects.count() == 6
