"""Appending: versions, offsets, repeats, expectations, the chain."""

from threading import Barrier, Thread

import pytest
from django.db import transaction

from events import log
from events.errors import InsideTransaction, UnknownGame
from events.lanes import Lane
from events.log.entries import Appended, Conflict, Duplicate, Entry
from events.log.verify import verify_partition
from events.models import Event, Partition
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)


def chain_problems(game_id: int) -> list[str]:
    """Return what is wrong in all partitions of a game."""
    return [
        problem
        for partition_id in Partition.objects.filter(game_id=game_id).values_list("id", flat=True)
        for problem in verify_partition(partition_id)
    ]


def test_a_stream_counts_its_events_from_one() -> None:
    game = given_game()
    outcomes = given_events(game, *[an_event(stream="alice") for _ in range(3)])
    assert [outcome.version for outcome in outcomes] == [1, 2, 3]
    assert given_events(game, an_event(stream="alice"))[0].version == 4


def test_a_repeat_gets_the_original_place() -> None:
    game = given_game()
    first = given_events(game, an_event(id="once", stream="alice"))[0]
    again = given_events(game, an_event(id="once", stream="alice"))[0]
    assert isinstance(again, Duplicate)
    assert (again.version, again.partition, again.offset) == (first.version, first.partition, first.offset)
    assert Event.objects.filter(game=game).count() == 1


def test_a_repeat_in_another_stream_is_still_a_repeat() -> None:
    game = given_game()
    first = given_events(game, an_event(id="once", stream="alice"))[0]
    for stream in ("bob", "carol", "dan", "erin"):
        again = given_events(game, an_event(id="once", stream=stream))[0]
        assert isinstance(again, Duplicate)
        assert (again.stream, again.partition, again.offset) == ("alice", first.partition, first.offset)


def test_a_repeat_within_one_batch_is_found() -> None:
    game = given_game()
    outcomes = given_events(game, an_event(id="once"), an_event(id="once"))
    assert [type(outcome) for outcome in outcomes] == [Appended, Duplicate]


def test_the_same_id_of_another_source_is_another_event() -> None:
    game = given_game()
    outcomes = given_events(game, an_event(id="x", source="/a"), an_event(id="x", source="/b"))
    assert [type(outcome) for outcome in outcomes] == [Appended, Appended]


def test_the_same_event_in_another_game_is_another_event() -> None:
    given_events(given_game(), an_event(id="x"))
    assert isinstance(given_events(given_game(), an_event(id="x"))[0], Appended)


def test_an_expected_version_is_compared_with_the_items_before_it() -> None:
    game = given_game()
    outcomes = given_events(
        game,
        an_event(stream="s", expected_version=0),
        an_event(stream="s", expected_version=1),
        an_event(stream="s", expected_version=1),
        an_event(stream="s", expected_version=2),
    )
    assert [type(outcome) for outcome in outcomes] == [Appended, Appended, Conflict, Appended]
    assert (outcomes[2].expected, outcomes[2].actual) == (1, 2)


def test_a_repeat_is_judged_before_its_expectation() -> None:
    game = given_game()
    given_events(game, an_event(id="once", stream="s", expected_version=0))
    assert isinstance(given_events(game, an_event(id="once", stream="s", expected_version=0))[0], Duplicate)


@pytest.mark.parametrize("count", [1, 99, 100, 101, 1500])
def test_offsets_are_gapless_and_the_chain_whole(count: int) -> None:
    game = given_game()
    data = {"player_id": "alice", "text": 'é 漢字 \u2028 \\ " \n \t'}
    given_events(game, *[an_event(stream=f"s{n % 7}", data=data) for n in range(count)])
    assert Event.objects.filter(game=game).count() == count
    assert chain_problems(game.id) == []


def test_data_reads_back_to_the_letter() -> None:
    game = given_game()
    envelope = an_event(stream="s")
    text = '{"b":1.0, "a" : [1e2,"\\u00e9\t"], "big":18446744073709551615}'
    given_events(game, type(envelope)(**{**_fields(envelope), "data": text, "data_encoding": "json"}))
    assert Event.objects.get(game=game).data == text
    assert chain_problems(game.id) == []


def _fields(envelope: object) -> dict[str, object]:
    return {name: getattr(envelope, name) for name in type(envelope).__struct_fields__}


def test_each_lane_has_its_own_head() -> None:
    game = given_game(partitions=1)
    given_events(game, an_event(), lane=Lane.URGENT)
    given_events(game, an_event(), an_event(), lane=Lane.BULK)
    partition = Partition.objects.get(game=game)
    assert (partition.head, partition.urgent_head, partition.normal_head, partition.bulk_head) == (3, 1, 0, 3)


def test_append_refuses_to_run_inside_a_transaction() -> None:
    game = given_game()
    with transaction.atomic(), pytest.raises(InsideTransaction):
        given_events(game, an_event())


def test_an_unknown_game_is_named() -> None:
    with pytest.raises(UnknownGame, match="4711"):
        log.append(4711, [Entry(envelope=an_event(), lane=Lane.NORMAL)])


def test_two_writers_of_one_stream_share_its_versions_without_a_hole() -> None:
    game = given_game()
    start = Barrier(8)

    def write() -> None:
        start.wait()
        for _ in range(20):
            given_events(game, an_event(stream="contested"))

    writers = [Thread(target=write) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    versions = sorted(Event.objects.filter(game=game).values_list("version", flat=True))
    assert versions == list(range(1, 161))
    assert chain_problems(game.id) == []
