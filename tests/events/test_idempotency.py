"""What carries an Idempotency-Key is done once, and answered the same for a day."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from events import keys
from events.errors import IdempotencyRefused, IdempotencyReused, IdempotencyRunning
from events.idempotency import Asked, key_of, once
from events.models import ApiKey, IdempotencyKey
from tests.given import given_game

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


class Work:
    """Counts how often it is done."""

    def __init__(self) -> None:
        self.done = 0

    def __call__(self) -> str:
        self.done += 1
        return f"answer {self.done}"


@pytest.fixture
def asked() -> Asked:
    keys.issue(given_game(), "server")
    return Asked(api_key=ApiKey.objects.latest("id").pk, route="POST things", key="k", payload=b"{}")


def test_repeats_get_the_first_answer(asked: Asked) -> None:
    work = Work()
    assert [once(asked, work) for _ in range(3)] == ["answer 1"] * 3
    assert work.done == 1


def test_other_keys_routes_and_callers_are_other_requests(asked: Asked) -> None:
    work = Work()
    keys.issue(given_game(), "another")
    other = ApiKey.objects.latest("id").pk
    for each in (
        asked,
        replace(asked, key="l"),
        replace(asked, route="POST others"),
        replace(asked, api_key=other),
    ):
        once(each, work)
    assert work.done == 4


def test_another_payload_is_refused(asked: Asked) -> None:
    work = Work()
    once(asked, work)
    with pytest.raises(IdempotencyReused):
        once(replace(asked, payload=b'{"a":1}'), work)
    assert work.done == 1


def test_a_repeat_while_the_first_is_running_is_told_to_come_back(asked: Asked) -> None:
    def meanwhile() -> str:
        with pytest.raises(IdempotencyRunning):
            once(asked, Work())
        return "first"

    assert once(asked, meanwhile) == "first"
    assert once(asked, Work()) == "first"


def test_a_failure_is_not_stored(asked: Asked) -> None:
    def fail() -> str:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        once(asked, fail)
    assert not IdempotencyKey.objects.exists()
    assert once(asked, Work()) == "answer 1"


def test_after_a_day_the_same_key_is_a_new_request(asked: Asked) -> None:
    work = Work()
    with time_machine.travel(NOON, tick=False):
        once(asked, work)
    with time_machine.travel(NOON + timedelta(hours=23, minutes=59), tick=False):
        assert once(asked, work) == "answer 1"
    with time_machine.travel(NOON + timedelta(hours=24), tick=False):
        assert once(replace(asked, payload=b"other"), work) == "answer 2"


def test_what_its_process_left_unfinished_is_done_by_the_next(asked: Asked) -> None:
    begun = {
        "api_key_id": asked.api_key,
        "route": asked.route,
        "token": asked.key,
        "fingerprint": asked.fingerprint,
    }
    IdempotencyKey.objects.create(created=NOON, **begun)
    with time_machine.travel(NOON + timedelta(seconds=59), tick=False), pytest.raises(IdempotencyRunning):
        once(asked, Work())
    with time_machine.travel(NOON + timedelta(seconds=60), tick=False):
        assert once(asked, Work()) == "answer 1"
    with time_machine.travel(NOON + timedelta(seconds=61), tick=False):
        assert once(asked, Work()) == "answer 1"


def test_of_two_that_take_over_one_works(asked: Asked) -> None:
    begun = {
        "api_key_id": asked.api_key,
        "route": asked.route,
        "token": asked.key,
        "fingerprint": asked.fingerprint,
    }
    IdempotencyKey.objects.create(created=datetime.now(UTC) - timedelta(hours=1), **begun)

    def meanwhile() -> str:
        with pytest.raises(IdempotencyRunning):
            once(asked, Work())
        return "taken over"

    assert once(asked, meanwhile) == "taken over"


def test_answers_that_are_out_of_date_are_removed_as_new_ones_come(asked: Asked) -> None:
    with time_machine.travel(NOON, tick=False):
        for number in range(5):
            once(replace(asked, key=f"old-{number}"), Work())
    with time_machine.travel(NOON + timedelta(days=2), tick=False):
        once(asked, Work())
    assert list(IdempotencyKey.objects.values_list("token", flat=True)) == ["k"]


@pytest.mark.parametrize(
    ("header", "key"),
    [(None, None), ("abc", "abc"), ('"abc"', "abc"), (' "a b" ', "a b"), ("x" * 255, "x" * 255)],
)
def test_a_key_may_be_quoted_or_not(header: str | None, key: str | None) -> None:
    assert key_of(header) == key


@pytest.mark.parametrize("header", ["", '""', "x" * 256, "a\x00b", "é", "a\nb"])
def test_what_is_no_key_is_refused(header: str) -> None:
    with pytest.raises(IdempotencyRefused):
        key_of(header)
