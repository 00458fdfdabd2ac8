"""Whatever is changed, removed, swapped or cut off behind the log's back is found; an erased payload is not."""

from typing import Any

import pytest
from django.db import connection

from events.log import digests
from events.log.erasing import Cause, erase_payloads, places
from events.models import Event, Game, Partition
from events.models.erasures import Why
from tests.events.log.test_append import chain_problems
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game() -> Game:
    """A game with six events in one partition."""
    game = given_game(partitions=1)
    given_events(game, *[an_event(stream=f"s{n}", data={"n": n}) for n in range(6)])
    return game


def behind_its_back(statement: str, *values: Any) -> None:
    """Change the log as somebody with the database's password may."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def pk(game: Game, offset: int) -> int:
    """Return the id of the event at an offset."""
    return int(Event.objects.values_list("id", flat=True).get(game=game, offset=offset))


def test_what_nobody_touched_is_whole(game: Game) -> None:
    assert chain_problems(game.id) == []


def test_a_changed_payload_is_found(game: Game) -> None:
    behind_its_back("UPDATE events_event SET data = %s WHERE id = %s", '{"n": 99}', pk(game, 3))
    assert chain_problems(game.id) == [
        f"partition {game.id}/0: the payload at offset 3 is not the one that was appended"
    ]


def test_a_payload_replaced_together_with_its_digest_is_found(game: Game) -> None:
    salt, data = bytes(16), '{"n": 99}'
    behind_its_back(
        "UPDATE events_event SET data = %s, salt = %s, payload_digest = %s WHERE id = %s",
        data, salt, digests.payload_digest(salt, data), pk(game, 3),
    )  # fmt: skip
    assert chain_problems(game.id) == [f"partition {game.id}/0: the chain breaks at offset 3"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("type", "gift.received"),
        ("source", "/mallory"),
        ("event_id", "another"),
        ("stream", "mallory"),
        ("version", 7),
        ("lane", 2),
        ("subject", "mallory"),
        ("recorded", "2001-01-01 00:00:00+00:00"),
        ("extensions", '{"a":"b"}'),
        ("traceparent", "00-1"),
        ("data_encoding", "text"),
    ],
)
def test_a_changed_attribute_is_found(game: Game, column: str, value: object) -> None:
    behind_its_back(f"UPDATE events_event SET {column} = %s WHERE id = %s", value, pk(game, 3))
    assert f"partition {game.id}/0: the chain breaks at offset 3" in chain_problems(game.id)


def test_a_removed_event_is_found(game: Game) -> None:
    behind_its_back("DELETE FROM events_event WHERE id = %s", pk(game, 3))
    found = chain_problems(game.id)
    assert f"partition {game.id}/0: offset 3 is missing (found 4)" in found
    assert f"partition {game.id}/0: the chain breaks at offset 4" in found


def test_swapped_events_are_found(game: Game) -> None:
    third, fourth = (
        Event.objects.filter(game=game, offset=offset).values("data", "salt", "payload_digest").get()
        for offset in (3, 4)
    )
    for offset, row in ((3, fourth), (4, third)):
        behind_its_back(
            "UPDATE events_event SET data = %s, salt = %s, payload_digest = %s WHERE id = %s",
            row["data"], bytes(row["salt"]), bytes(row["payload_digest"]), pk(game, offset),
        )  # fmt: skip
    assert [problem.rsplit(" ", 1)[1] for problem in chain_problems(game.id)] == ["3", "4"]


def test_a_cut_off_end_is_found(game: Game) -> None:
    behind_its_back("DELETE FROM events_event WHERE id = %s", pk(game, 6))
    assert f"partition {game.id}/0: head is 6, the last event is at 5" in chain_problems(game.id)


def test_an_end_that_was_cut_off_with_its_heads_still_breaks_the_digest(game: Game) -> None:
    behind_its_back("DELETE FROM events_event WHERE id = %s", pk(game, 6))
    behind_its_back(
        "UPDATE events_partition SET head = 5, normal_head = 5, normal_count = 5 WHERE game_id = %s", game.id
    )
    assert chain_problems(game.id) == [
        f"partition {game.id}/0: the partition's digest is not the last event's"
    ]


def test_a_wrong_lane_head_is_found(game: Game) -> None:
    Partition.objects.filter(game=game).update(urgent_head=6)
    assert chain_problems(game.id) == [
        f"partition {game.id}/0: urgent head is 6, the last event of that lane is at 0"
    ]


def test_an_erased_payload_leaves_the_chain_whole(game: Game) -> None:
    assert erase_payloads(places([pk(game, 3)]), Cause(why=Why.STAFF)) == 1
    assert chain_problems(game.id) == []


def test_a_payload_that_went_without_a_record_is_found(game: Game) -> None:
    erase_payloads(places([pk(game, 2), pk(game, 5)]), Cause(why=Why.STAFF))  # its span has offset 3 in it
    behind_its_back("UPDATE events_event SET data = NULL, salt = NULL WHERE id = %s", pk(game, 3))
    assert chain_problems(game.id) == [
        f"partition {game.id}/0: the payload at offset 3 is missing, and no erasure of it is on record"
    ]


def test_an_erasure_on_record_that_took_nothing_is_found(game: Game) -> None:
    erase_payloads(places([pk(game, 3)]), Cause(why=Why.STAFF))
    behind_its_back(
        "UPDATE events_event SET (data, salt) = (SELECT data, salt FROM events_event WHERE id = %s) WHERE id = %s",
        pk(game, 4), pk(game, 3),
    )  # fmt: skip
    assert f"partition {game.id}/0: the payload at offset 3 is there, though its erasure is on record" in (
        chain_problems(game.id)
    )


def test_equal_payloads_have_different_digests(game: Game) -> None:
    given_events(game, an_event(stream="a", data={"secret": 1}), an_event(stream="b", data={"secret": 1}))
    first, second = Event.objects.filter(game=game).order_by("-offset").values_list("payload_digest")[:2]
    assert bytes(first[0]) != bytes(second[0])
