"""Rows in bulk read back as the ORM writes them, few and many, on both databases."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import uuid4

import pytest
from django.db import DataError, IntegrityError, connection, transaction

from events.rows import COPY_FROM_ROWS, Inserter, among
from notifications.decisions.writing import DecisionRow
from notifications.models import Decision
from tests.given import given_game

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime(2026, 1, 31, 12, 0, 0, 250_001, tzinfo=UTC)
GATES = '[{"name": "é\\"\\\\", "values": {"n": %d}}]'
INSERTER = Inserter(Decision, DecisionRow._fields)


def row(n: int, **others) -> DecisionRow:
    told = {
        "game_id": 1, "rule_id": 1, "revision_id": 1, "event_id": 2**40 + n, "player_id": None if n % 2 else n,
        "player_key": f"p{n} 'é\\{{,}}\"", "outcome": "sent", "gates": GATES % (10**25 + n),
        "notification_uid": None if n % 3 else uuid4(), "place": n, "profile_revision": 0,
        "now": NOW.astimezone(timezone(timedelta(hours=9))), "replay_id": None,
    }  # fmt: skip
    return DecisionRow(**told | others)


@pytest.mark.parametrize("count", [1, COPY_FROM_ROWS - 1, COPY_FROM_ROWS, 3 * COPY_FROM_ROWS])
def test_they_read_back_as_they_were_written_whichever_way_they_went(count: int) -> None:
    written = [row(n) for n in range(count)]
    with transaction.atomic():
        INSERTER.insert(written)
    for each, read in zip(written, Decision.objects.order_by("event_id"), strict=True):
        found = {name: getattr(read, name) for name in DecisionRow._fields if name != "gates"}
        assert found == {name: value for name, value in each._asdict().items() if name != "gates"}
        assert read.gates == [{"name": 'é"\\', "values": {"n": 10**25 + (read.event_id - 2**40)}}]
        assert read.pk


@pytest.mark.parametrize("count", [2, COPY_FROM_ROWS])
def test_what_the_database_refuses_is_its_own_error_and_nothing_stays(count: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        INSERTER.insert([row(1)] * count)
    assert not Decision.objects.exists()


@pytest.mark.services
@pytest.mark.parametrize("count", [2, COPY_FROM_ROWS])
def test_what_is_too_long_is_refused(count: int) -> None:
    with pytest.raises(DataError), transaction.atomic():
        INSERTER.insert([row(n, player_key="x" * 129) for n in range(count)])


def test_none_is_nothing_and_costs_no_statement(django_assert_num_queries) -> None:
    with django_assert_num_queries(0):
        INSERTER.insert([])


@pytest.mark.parametrize("keys", [[], ["a"], ["a", "b'\"\\{},"], ["NULL", ""]], ids=str)
def test_among_finds_texts_whatever_is_in_them(keys: list[str]) -> None:
    INSERTER.insert([row(n, player_key=key) for n, key in enumerate([*keys, "other"])])
    where, values = among("player_key", keys)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT player_key FROM notifications_decision WHERE {where}", [values])
        assert sorted(key for (key,) in cursor.fetchall()) == sorted(keys)


@pytest.mark.parametrize("ids", [[], [2**40 + 1], [2**40, 2**40 + 2]], ids=str)
def test_among_finds_whole_numbers(ids: list[int]) -> None:
    given_game()
    INSERTER.insert([row(n) for n in range(4)])
    where, values = among("event_id", ids)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT event_id FROM notifications_decision WHERE {where}", [values])
        assert sorted(each for (each,) in cursor.fetchall()) == ids
