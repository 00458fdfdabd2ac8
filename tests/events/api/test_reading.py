"""``GET /api/v1/events``: filters, cursors, limits, scope; and never another game's events."""

from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from events import keys
from events.lanes import Lane
from events.models import ApiKey, Event, Game
from tests.events.api.server import EVENTS, GameServer, is_problem, pointers
from tests.given import an_event, given_events, given_game

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def stored(game: Game) -> list[str]:
    """Ids of 30 events in five streams and two types."""
    kinds = ("level.reached", "gift.received")
    events = [an_event(id=f"e{n}", stream=f"s{n % 5}", type=kinds[n % 2]) for n in range(30)]
    given_events(game, *events)
    return [event.id for event in events]


def ids(items: list[dict[str, Any]]) -> list[str]:
    return [item["event"]["id"] for item in items]


def test_an_item_is_the_event_with_its_place(game: Game, server: GameServer) -> None:
    given_events(game, an_event(id="e1", stream="alice", data={"a": 1}), lane=Lane.BULK)
    row = Event.objects.get()
    (item,) = server.get().json()["items"]
    event, recorded = item.pop("event"), item.pop("recorded")
    assert (event["id"], event["data"]) == ("e1", {"a": 1})
    assert recorded.endswith("Z")
    assert item == {
        "stream": "alice", "version": 1, "partition": row.partition.number, "offset": 1, "lane": "bulk",
    }  # fmt: skip


@pytest.mark.django_db
def test_an_empty_log_is_one_empty_page(server: GameServer) -> None:
    assert server.get().json() == {"items": [], "next": None}


def test_pages_hold_every_event_once_in_the_order_of_partition_and_offset(
    server: GameServer, stored: list[str]
) -> None:
    for limit in (1, 7, 10, 30, 500):
        items = server.pages(limit=limit)
        assert sorted(ids(items)) == sorted(stored)
        places = [(item["partition"], item["offset"]) for item in items]
        assert places == sorted(places)


@pytest.mark.usefixtures("stored")
def test_a_stream_is_read_in_its_order(server: GameServer) -> None:
    for limit in (1, 4, 6):
        items = server.pages(stream="s3", limit=limit)
        assert [item["version"] for item in items] == [1, 2, 3, 4, 5, 6]
        assert ids(items) == [f"e{n}" for n in range(3, 30, 5)]


def test_a_type_is_read_alone(server: GameServer, stored: list[str]) -> None:
    for limit in (2, 100):
        assert sorted(ids(server.pages(type="gift.received", limit=limit))) == sorted(stored[1::2])
    assert server.get(type="gift").json()["items"] == []


def test_a_partition_is_read_alone(server: GameServer, stored: list[str]) -> None:
    found = [ids(server.pages(partition=number, limit=3)) for number in range(4)]
    assert sorted(event_id for partition in found for event_id in partition) == sorted(stored)
    for number, items in enumerate(found):
        assert {item["partition"] for item in server.get(partition=number).json()["items"]} <= {number}
        assert len(items) == Event.objects.filter(partition__number=number).count()


@pytest.mark.usefixtures("stored")
def test_filters_go_together(server: GameServer) -> None:
    assert ids(server.pages(stream="s3", type="gift.received", limit=1)) == ["e3", "e13", "e23"]
    number = server.get(stream="s3").json()["items"][0]["partition"]
    assert len(server.pages(stream="s3", partition=number)) == 6
    assert server.pages(stream="s3", partition=(number + 1) % 4) == []


@pytest.mark.usefixtures("stored")
def test_a_page_that_is_just_full_may_be_followed_by_an_empty_one(server: GameServer) -> None:
    page = server.get(limit=30).json()
    assert page["next"] is not None
    assert server.get(limit=30, after=page["next"]).json() == {"items": [], "next": None}


@pytest.mark.usefixtures("stored")
def test_what_comes_later_is_found_after_the_last_cursor(game: Game, server: GameServer) -> None:
    after = server.get(stream="s0", limit=6).json()["next"]
    given_events(game, an_event(id="later", stream="s0"))
    assert ids(server.get(stream="s0", after=after).json()["items"]) == ["later"]


def test_a_page_has_a_hundred_items_unless_asked(game: Game, server: GameServer) -> None:
    given_events(game, *[an_event() for _ in range(101)])
    assert len(server.get().json()["items"]) == 100
    assert len(server.get(limit=500).json()["items"]) == 101


def test_another_games_events_are_never_seen(server: GameServer, stored: list[str]) -> None:
    other_game = given_game(partitions=4)
    given_events(other_game, *[an_event(id=f"other-{n}", stream=f"s{n % 5}") for n in range(20)])
    other = GameServer(other_game)
    assert sorted(ids(server.pages(limit=3))) == sorted(stored)
    for query in ({}, {"stream": "s1"}, {"type": "level.reached"}, {"partition": 2}):
        assert not set(ids(server.pages(**query))) & set(ids(other.pages(**query)))
    cursor = other.get(limit=2).json()["next"]
    assert set(ids(server.get(after=cursor).json()["items"])) <= set(stored)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ({"limit": "0"}, "/limit"),
        ({"limit": "501"}, "/limit"),
        ({"limit": "-1"}, "/limit"),
        ({"limit": "many"}, "/limit"),
        ({"limit": "1.5"}, "/limit"),
        ({"limit": "9" * 5_000}, "/limit"),
        ({"partition": "-1"}, "/partition"),
        ({"partition": "4"}, "/partition"),
        ({"partition": "256"}, "/partition"),
        ({"partition": "x"}, "/partition"),
        ({"stream": ""}, "/stream"),
        ({"stream": "x" * 512}, "/stream"),
        ({"stream": "a\x00b"}, "/stream"),
        ({"type": ""}, "/type"),
        ({"type": "x" * 256}, "/type"),
        ({"type": "\x00"}, "/type"),
        ({"after": "nonsense"}, "/after"),
        ({"after": "ключ"}, "/after"),
        ({"after": "\x00"}, "/after"),
        ({"after": "LTE"}, "/after"),
        ({"after": "A"}, "/after"),
        ({"after": "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5"}, "/after"),
        ({"after": "x" * 65}, "/after"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_a_bad_question_is_pointed_at(server: GameServer, query: dict[str, str], pointer: str) -> None:
    answer = server.get(**query)
    assert is_problem(answer, 422, "invalid")
    assert pointers(answer.json()) == [pointer]


@pytest.mark.django_db
def test_half_characters_in_a_question_are_refused(server: GameServer) -> None:
    answer = server.client.get(f"{EVENTS}?stream=%ED%A0%80", headers={"Authorization": server.bearer})
    assert answer.status_code in {200, 422}


@pytest.mark.django_db
def test_a_key_without_the_scope_is_refused(game: Game) -> None:
    server = GameServer(game, keys.SCOPES - {"events:read"})
    assert is_problem(server.get(), 403, "forbidden")
    assert server.call("HEAD").status_code == 403


@pytest.mark.django_db
@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic YTpi"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_nothing_is_read_without_a_key(method: str, authorization: str | None) -> None:
    given = {"Authorization": authorization} if authorization else {}
    answer = Client().generic(method, EVENTS, headers=given)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE"])
def test_the_log_is_only_appended_to_and_read(server: GameServer, method: str) -> None:
    answer = server.call(method)
    assert is_problem(answer, 405, "method-not-allowed")
    assert {"GET", "POST"} <= {name.strip() for name in answer.headers["Allow"].split(",")}


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/v1/events/", "/api/v1/event", "/api/v1/events/e1", "/api/v1/"])
def test_there_is_nothing_beside_it(server: GameServer, path: str) -> None:
    for method in ("GET", "POST"):
        assert is_problem(server.call(method, path), 404, "not-found")


@pytest.mark.django_db
def test_reading_is_charged_and_says_what_is_left(server: GameServer, settings: Any) -> None:
    settings.CLARION_PREFIX = f"{settings.CLARION_PREFIX}{server.bearer[-12:]}-"
    ApiKey.objects.update(rate_limit=2)
    assert server.get().headers["RateLimit-Remaining"] == "1"
    assert server.call("HEAD").headers["RateLimit-Remaining"] == "0"
    refused = server.get()
    assert is_problem(refused, 429, "rate-limit")
    assert refused.headers["RateLimit-Remaining"] == "0"
    assert refused.headers["RateLimit-Reset"] == refused.headers["Retry-After"]


@pytest.mark.django_db
def test_a_database_that_is_away_is_a_503(server: GameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(**_: Any) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr("events.api.reading.page", away)
    answer = server.get()
    assert is_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
