"""``POST /api/v1/events``, line by line of the protocol's table."""

from concurrent.futures import Future
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client

from events import keys
from events.api import ingestion
from events.errors import LogUnavailable
from events.lanes import Lane
from events.log import appending
from events.models import ApiKey, Event, EventType, Game
from tests.events.api.server import EVENTS, GameServer, is_problem, pointers
from tests.events.envelope.requests import BATCH, JSON, STRUCTURED, headers, members
from tests.events.log.test_append import chain_problems
from tests.given import given_game

pytestmark = pytest.mark.django_db(transaction=True)  # what is refused needs no more than django_db


# -- one event ------------------------------------------------------------------------------------


def test_one_event_is_appended(game: Game, server: GameServer) -> None:
    answer = server.post(members(id="e1", subject="alice", data={"player_id": "alice"}))
    assert answer.status_code == 201
    assert answer.headers["Content-Type"] == "application/json"
    event = Event.objects.get()
    assert answer.json() == {
        "status": "appended",
        "id": "e1",
        "source": "/tests",
        "stream": "alice",
        "version": 1,
        "partition": event.partition.number,
        "offset": 1,
    }
    assert (event.game_id, event.type, event.stream) == (game.pk, "level.reached", "alice")
    assert event.data == '{"player_id": "alice"}'
    assert chain_problems(game.pk) == []


def test_an_event_that_comes_again_gets_its_original_place(server: GameServer) -> None:
    first = server.post(members(id="e1", subject="alice"))
    server.post(members(id="e2", subject="alice"))
    again = server.post(members(id="e1", subject="somebody else", data=5, expectedversion=77))
    assert again.status_code == 200
    assert again.json() == {**first.json(), "status": "duplicate"}
    assert Event.objects.count() == 2


def test_the_same_event_in_another_mode_is_the_same_event(server: GameServer) -> None:
    server.post(members(id="e1"))
    assert server.post(b"", "", **headers(id="e1")).json()["status"] == "duplicate"
    assert server.post([members(id="e1")], BATCH).json()["duplicate"] == 1


def test_an_expected_version_that_is_not_the_streams_is_a_conflict(server: GameServer) -> None:
    server.post(members(id="e1", subject="alice", expectedversion=0))
    for expected in (0, "0", 2, "2"):
        answer = server.post(members(id="e2", subject="alice", expectedversion=expected))
        assert is_problem(answer, 409, "expected-version")
        assert (answer.json()["expected"], answer.json()["actual"]) == (int(expected), 1)
    assert Event.objects.count() == 1


def test_an_expected_version_that_is_the_streams_is_appended(server: GameServer) -> None:
    for version, expected in enumerate([0, 1, "2", "3"]):
        answer = server.post(members(id=f"e{version}", subject="alice", expectedversion=expected))
        assert (answer.status_code, answer.json()["version"]) == (201, version + 1)


@pytest.mark.django_db
def test_an_invalid_event_is_refused_with_pointers(server: GameServer) -> None:
    answer = server.post(members(id=None, time="noon", data={"player_id": 5}))
    assert is_problem(answer, 422, "invalid")
    assert sorted(pointers(answer.json())) == ["/data/player_id", "/id", "/time"]
    assert not Event.objects.exists()


# -- batches --------------------------------------------------------------------------------------

NOTHING = {"appended": 0, "duplicate": 0, "conflict": 0, "invalid": 0, "refused": 0}


@pytest.mark.django_db
@pytest.mark.parametrize("content_type", [BATCH, JSON])
def test_an_empty_batch_is_well(server: GameServer, content_type: str) -> None:
    answer = server.post("[]", content_type)
    assert (answer.status_code, answer.json()) == (200, {**NOTHING, "results": []})


def test_a_batch_of_new_events_and_repeats_is_well(server: GameServer) -> None:
    server.post(members(id="old", subject="alice"))
    batch = [members(id=event_id, subject="alice") for event_id in ("a", "old", "b", "a")]
    answer = server.post(batch, BATCH)
    assert answer.status_code == 200
    told = answer.json()
    results = told.pop("results")
    assert told == {**NOTHING, "appended": 2, "duplicate": 2}
    assert [(each["status"], each["id"], each["version"]) for each in results] == [
        ("appended", "a", 2),
        ("duplicate", "old", 1),
        ("appended", "b", 3),
        ("duplicate", "a", 2),
    ]
    place = {"status", "id", "source", "stream", "version", "partition", "offset"}
    assert all(set(each) == place for each in results)


def test_a_batch_with_bad_items_stores_the_good_ones_and_says_so_in_order(server: GameServer) -> None:
    batch = [
        members(id="a", subject="alice"),
        members(id="b", subject="alice", expectedversion=0),
        members(id="c", time="noon"),
        7,
        members(id="d", subject="alice", expectedversion=1),
        members(id="a", subject="alice"),
        members(source="clarion:mallory"),
    ]
    answer = server.post(batch, BATCH)
    assert answer.status_code == 207
    told = answer.json()
    results = told.pop("results")
    assert told == {**NOTHING, "appended": 2, "duplicate": 1, "conflict": 1, "invalid": 3}
    assert [each["status"] for each in results] == [
        "appended", "conflict", "invalid", "invalid", "appended", "duplicate", "invalid",
    ]  # fmt: skip
    assert results[1] == {
        "status": "conflict", "id": "b", "source": "/tests", "stream": "alice", "expected": 0, "actual": 1,
    }  # fmt: skip
    assert [pointers(results[n]) for n in (2, 3, 6)] == [["/2/time"], ["/3"], ["/6/source"]]
    assert set(Event.objects.values_list("event_id", flat=True)) == {"a", "d"}


def test_a_batch_in_which_every_item_is_bad_is_answered_the_same(server: GameServer) -> None:
    answer = server.post([{}, members(id="x", expectedversion=9)], BATCH)
    assert (answer.status_code, answer.json()["invalid"], answer.json()["conflict"]) == (207, 1, 1)


def test_a_thousand_events_go_in_one_batch(game: Game, server: GameServer) -> None:
    answer = server.post([members(id=f"e{n}", subject=f"s{n % 7}") for n in range(1_000)], BATCH)
    assert (answer.status_code, answer.json()["appended"]) == (200, 1_000)
    assert [each["id"] for each in answer.json()["results"]] == [f"e{n}" for n in range(1_000)]
    assert chain_problems(game.pk) == []


# -- what is not CloudEvents ----------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("body", ["", "{", "[", b"\xff", "nonsense", '{"id": 01}'], ids=repr)
@pytest.mark.parametrize("content_type", [STRUCTURED, BATCH, JSON])
def test_a_body_that_is_not_json_is_refused(server: GameServer, body: Any, content_type: str) -> None:
    assert is_problem(server.post(body, content_type), 400, "unreadable")
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content_type", "body"), [(STRUCTURED, "[]"), (STRUCTURED, "1"), (BATCH, "{}"), (JSON, '"x"')]
)
def test_json_of_another_kind_is_refused(server: GameServer, content_type: str, body: str) -> None:
    assert is_problem(server.post(body, content_type), 400, "unreadable")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "application/cloudevents+avro"]
)
def test_what_is_no_mode_of_cloudevents_is_refused(server: GameServer, content_type: str) -> None:
    assert is_problem(server.post(members(), content_type), 415, "not-cloudevents")
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        (BATCH, [members(id=str(n)) for n in range(1_001)]),
        (BATCH, "[" + " " * 1_048_576),
        (STRUCTURED, members(data="x" * 65_536)),
        (BATCH, [members(id="good"), members(data="x" * 65_536)]),
    ],
    ids=["1001 events", "over 1 MiB", "over 64 KiB", "over 64 KiB in a batch"],
)
def test_what_is_too_large_is_refused_as_a_whole(server: GameServer, content_type: str, body: Any) -> None:
    assert is_problem(server.post(body, content_type), 413, "too-large")
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_a_binary_body_that_is_too_large_is_refused(server: GameServer) -> None:
    assert is_problem(server.post(b"x" * 65_537, "text/plain", **headers()), 413, "too-large")


@pytest.mark.django_db
def test_a_length_that_is_said_to_be_too_large_is_refused_before_anything_is_read(server: GameServer) -> None:
    answer = server.post("[]", BATCH, Content_Length="1048577")
    assert is_problem(answer, 413, "too-large")


# -- who may --------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer clk_wrong", "Basic YTpi", "clk_x", "Bearer \xff"]
)
def test_without_a_valid_key_nothing_is_appended(authorization: str | None) -> None:
    given = {} if authorization is None else {"Authorization": authorization}
    answer = Client().generic("POST", EVENTS, "[]", content_type=BATCH, headers=given)
    assert is_problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_key_is_refused(server: GameServer) -> None:
    assert server.post(members(id="a")).status_code == 201
    keys.revoke(ApiKey.objects.all())
    assert is_problem(server.post(members(id="b")), 401, "unauthorized")


@pytest.mark.django_db
def test_a_key_without_the_scope_is_refused(game: Game) -> None:
    answer = GameServer(game, keys.SCOPES - {"events:write"}).post(members())
    assert is_problem(answer, 403, "forbidden")
    assert "events:write" in answer.json()["detail"]
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_no_key_is_asked_before_the_body_is_looked_at() -> None:
    answer = Client().generic("POST", EVENTS, "{", content_type="text/plain")
    assert is_problem(answer, 401, "unauthorized")


def test_a_key_belongs_to_one_game(server: GameServer) -> None:
    other = GameServer(given_game())
    assert server.post(members(id="e1")).status_code == 201
    assert other.post(members(id="e1")).status_code == 201
    assert Event.objects.values("game").distinct().count() == 2


# -- rate limits ----------------------------------------------------------------------------------


@pytest.fixture
def limited(server: GameServer, settings: Any) -> GameServer:
    settings.CLARION_PREFIX = (
        f"{settings.CLARION_PREFIX}{server.bearer[-12:]}-"  # counted for this test alone
    )
    ApiKey.objects.update(rate_limit=3)
    return server


def test_an_answer_says_what_is_left_of_the_minute(limited: GameServer) -> None:
    first, second = limited.post(members(id="a")), limited.post([members(id="b"), {}], BATCH)
    assert (first.headers["RateLimit-Limit"], first.headers["RateLimit-Remaining"]) == ("3", "2")
    assert second.headers["RateLimit-Remaining"] == "0"
    assert 1 <= int(first.headers["RateLimit-Reset"]) <= 60


def test_beyond_the_limit_nothing_is_stored_and_the_answer_says_when_to_come_back(
    limited: GameServer,
) -> None:
    limited.post([members(id="a"), members(id="b")], BATCH)
    refused = limited.post([members(id="c"), members(id="d")], BATCH)
    assert is_problem(refused, 429, "rate-limit")
    assert (refused.headers["RateLimit-Limit"], refused.headers["RateLimit-Remaining"]) == ("3", "1")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["RateLimit-Reset"] == refused.headers["Retry-After"]
    assert set(Event.objects.values_list("event_id", flat=True)) == {"a", "b"}
    assert limited.post(members(id="e")).status_code == 201, "what was refused has used nothing up"


def test_a_key_without_a_limit_says_nothing_of_one(server: GameServer) -> None:
    ApiKey.objects.update(rate_limit=None)
    assert not [name for name in server.post(members()).headers if name.startswith("RateLimit")]


# -- bad weather ----------------------------------------------------------------------------------


def unknown(answer: Any) -> bool:
    """Assert that an answer says: the outcome is unknown, send the same ids again."""
    assert is_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
    return "send the same ids again" in answer.json()["detail"]


def test_a_log_that_is_not_available_is_said_to_be_unknown(
    server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_calls: object) -> None:
        raise OperationalError("server closed the connection")

    monkeypatch.setattr(appending.committer, "_commit", away)
    assert unknown(server.post(members(id="e1")))
    assert unknown(server.post([members(id="e1"), members(id="e2")], BATCH))
    monkeypatch.undo()
    assert server.post(members(id="e1")).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["events.keys.verify", "events.games.config_of"])
def test_a_database_that_is_away_is_no_wrong_key(
    server: GameServer, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def away(*_: object) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr(place, away)
    assert unknown(server.post(members()))


@pytest.mark.django_db
def test_the_wait_that_the_log_asks_for_is_told(server: GameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(_calls: object) -> None:
        raise LogUnavailable("busy", retry_after_s=7)

    monkeypatch.setattr(appending.committer, "_commit", busy)
    assert server.post(members()).headers["Retry-After"] == "7"


def test_a_game_that_is_gone_is_not_found(game: Game, server: GameServer) -> None:
    assert server.post("[]", BATCH).status_code == 200, "the key is known now"
    game.delete()
    assert is_problem(server.post(members()), 404, "not-found")


@pytest.mark.django_db
def test_who_waits_for_the_log_holds_no_connection(
    server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Key and game are looked up on a thread; with its connection in hand it would starve who appends."""
    told: list[str] = []

    def waits(*_: object) -> Future[list[Any]]:
        told.append("waits")
        raise LogUnavailable("far enough")

    monkeypatch.setattr(ingestion, "give_back", lambda: told.append("has given it back"))
    monkeypatch.setattr(ingestion.log, "submit", waits)
    assert server.post(members()).status_code == 503
    assert told == ["has given it back", "has given it back", "waits"]


# -- types, schemas, lanes ------------------------------------------------------------------------


def test_an_unlisted_type_is_accepted_in_the_normal_lane(server: GameServer) -> None:
    assert server.post(members(type="never.heard.of")).status_code == 201
    assert Event.objects.get().lane == Lane.NORMAL


def test_a_strict_game_accepts_listed_types_and_its_players(server: GameServer) -> None:
    Game.objects.update(strict=True)
    EventType.objects.create(game=server.game, name="level.reached")
    batch = [
        members(id="a"),
        members(id="b", type="other"),
        members(id="c", type="player.updated", data={"player_id": "bob"}),
    ]
    answer = server.post(batch, BATCH)
    assert [each["status"] for each in answer.json()["results"]] == ["appended", "invalid", "appended"]
    assert pointers(answer.json()["results"][1]) == ["/1/type"]
    assert is_problem(server.post(members(type="other")), 422, "invalid")


def test_an_events_lane_is_its_types_and_stays_so(server: GameServer) -> None:
    for lane in Lane:
        EventType.objects.create(game=server.game, name=f"type.{lane.label}", lane=lane)
    for lane in Lane:
        server.post(members(id=lane.label, type=f"type.{lane.label}"))
    EventType.objects.update(lane=Lane.BULK)
    assert dict(Event.objects.values_list("event_id", "lane")) == {lane.label: lane for lane in Lane}


def test_players_own_events_are_urgent_whatever_is_listed(server: GameServer) -> None:
    EventType.objects.create(game=server.game, name="player.updated", lane=Lane.BULK)
    server.post(members(type="player.updated", partitionkey="k", data={"player_id": "alice"}))
    event = Event.objects.get()
    assert (event.lane, event.stream) == (Lane.URGENT, "alice")


SCHEMA = {
    "type": "object",
    "required": ["level"],
    "properties": {"level": {"type": "integer", "minimum": 1}, "a/b": {"items": {"type": "string"}}},
}


REFUSALS = [
    ({"level": 0}, ["/data/level"]),
    ({"level": "x", "a/b": ["y", 1]}, ["/data/a~1b/1", "/data/level"]),
    ({}, ["/data"]),
    ([], ["/data"]),
    (None, ["/data"]),
]


@pytest.mark.django_db
@pytest.mark.parametrize(("data", "expected"), REFUSALS, ids=repr)
def test_data_that_the_types_schema_refuses_is_pointed_at(
    server: GameServer, data: Any, expected: list[str]
) -> None:
    EventType.objects.create(game=server.game, name="level.reached", schema=SCHEMA)
    answer = server.post(members(data=data))
    assert is_problem(answer, 422, "invalid")
    assert sorted(pointers(answer.json())) == expected


def test_a_schema_refuses_items_of_a_batch_one_by_one(server: GameServer) -> None:
    EventType.objects.create(game=server.game, name="level.reached", schema=SCHEMA)
    bad = [members(id="bad", data=data) for data, _ in REFUSALS]
    answer = server.post([members(id="good", data={"level": 1}), *bad], BATCH)
    assert answer.status_code == 207
    found = [sorted(pointers(each)) for each in answer.json()["results"][1:]]
    assert found == [[f"/{n}{at}" for at in expected] for n, (_, expected) in enumerate(REFUSALS, start=1)]
    assert list(Event.objects.values_list("event_id", flat=True)) == ["good"]


@pytest.mark.django_db
def test_a_refusal_never_repeats_the_data(server: GameServer) -> None:
    EventType.objects.create(game=server.game, name="level.reached", schema=SCHEMA)
    answer = server.post(members(data={"level": "the player's secret"}))
    assert "secret" not in answer.content.decode()


def test_text_and_bytes_are_checked_as_text(server: GameServer) -> None:
    EventType.objects.create(game=server.game, name="level.reached", schema={"type": "string"})
    assert server.post(members(id="a", data="x", datacontenttype="text/plain")).status_code == 201
    assert server.post(members(id="b", data_base64="AAE=")).status_code == 201
    assert server.post(members(id="c", data=1)).status_code == 422


def test_a_schema_that_is_none_stops_nobody(server: GameServer) -> None:
    EventType.objects.create(game=server.game, name="level.reached", schema={"type": 5})
    assert server.post(members()).status_code == 201


# -- what is logged -------------------------------------------------------------------------------


def test_each_event_s_way_into_the_log_can_be_followed(
    server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    told: list[dict[str, Any]] = []

    class Log:
        def is_enabled_for(self, _level: int) -> bool:
            return True

        def debug(self, word: str, **what: Any) -> None:
            told.append({"event": word, **what})

    monkeypatch.setattr(ingestion, "logger", Log())
    server.post(
        [members(id="a", traceparent=trace, data={"player_id": "secret"}), {}, members(id="a")], BATCH
    )
    common = {"event": "event.ingested", "game": server.game.slug, "event_id": "a"}
    assert told == [
        {**common, "traceparent": trace, "status": "appended"},
        {**common, "traceparent": "", "status": "duplicate"},
    ]
