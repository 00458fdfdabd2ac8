"""Players over HTTP, for game servers."""

from typing import Any
from urllib.parse import quote

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client

from events import keys
from events.lanes import Lane
from events.models import Event, Game, IdempotencyKey
from players import tokens
from players.hubs import PROFILES
from players.models import Player, Profile
from players.profiles import Profiles
from tests.given import given_game, hubs_catch_up
from tests.players.people import GameServer, given_player, given_updates

pytestmark = pytest.mark.django_db(transaction=True)
PROBLEM = "application/problem+json"


@pytest.fixture
def game() -> Game:
    return given_game(partitions=4)


@pytest.fixture
def server(game: Game) -> GameServer:
    return GameServer(game)


def pointers(answer: HttpResponse) -> list[str]:
    assert answer.headers["Content-Type"] == PROBLEM
    return [error["pointer"] for error in answer.json()["errors"]]


def is_problem(answer: HttpResponse, status: int, slug: str) -> bool:
    assert answer.headers["Content-Type"] == PROBLEM, answer.content
    told = answer.json()
    assert {"type", "title", "status", "detail"} <= set(told)
    assert (answer.status_code, told["status"], told["type"]) == (status, status, f"/problems/{slug}")
    return True


# -- PUT ------------------------------------------------------------------------------------------


def test_a_put_appends_an_event_and_changes_nothing_itself(server: GameServer) -> None:
    answer = server.call("PUT", "players/alice", '{"locale":"en_us","attributes":{"level":3}}')
    assert answer.status_code == 202
    event = Event.objects.get()
    assert answer.json() == {
        "status": "appended",
        "stream": "alice",
        "version": 1,
        "partition": event.partition.number,
        "offset": event.offset,
    }
    assert (event.type, event.stream, event.lane) == ("player.updated", "alice", Lane.URGENT)
    assert event.data == '{"player_id":"alice","locale":"en-US","attributes":{"level":3}}'
    assert not Profile.objects.exists()
    hubs_catch_up(["profiles"])
    assert Profile.objects.get().locale == "en-US"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('{"locale":"no locale"}', ["/locale"]),
        ('{"locale":5}', ["/locale"]),
        ('{"timezone":"Mars/Olympus"}', ["/timezone"]),
        ('{"display_name":"%s"}' % ("x" * 121), ["/display_name"]),
        ('{"display_name":7}', ["/display_name"]),
        ('{"display_name":true}', ["/display_name"]),
        ('{"attributes":[]}', ["/attributes"]),
        ('{"attributes":null}', ["/attributes"]),
        ('{"attributes":{"a":"%s"}}' % ("x" * 16_384), ["/attributes"]),
        ('{"locale":"!","timezone":"!"}', ["/locale", "/timezone"]),
        ('{"display_name":"a\\u0000b"}', ["/display_name"]),
        ('{"attributes":{"a":"\\ud800"}}', ["/attributes/a"]),
        ('{"attributes":{"a":[1,1e999]}}', ["/attributes/a/1"]),
        ('{"attributes":{"a":123456789012345678901234567890}}', ["/attributes/a"]),
        ('{"attributes":{"a":NaN}}', ["/attributes/a"]),
        ("[" * 65, [""]),
        ('{"attributes":{"a":' + "[" * 63 + "]" * 63 + "}}", [""]),
        ("[]", [""]),
        ('"x"', [""]),
        ("7", [""]),
        ("null", [""]),
    ],
    ids=lambda value: repr(value)[:24],
)
def test_bad_data_is_refused_with_pointers_and_nothing_is_stored(
    server: GameServer, body: str, expected: list[str]
) -> None:
    answer = server.call("PUT", "players/alice", body)
    assert is_problem(answer, 422, "invalid")
    assert pointers(answer) == expected
    assert not Event.objects.exists()


@pytest.mark.parametrize("body", ["{", "{'a':1}", b"\xff\xfe", "{} {}", '{"a":}', '{"a":NaN'])
def test_a_body_that_is_no_json_is_refused(server: GameServer, body: Any) -> None:
    assert is_problem(server.call("PUT", "players/alice", body), 400, "unreadable")


def test_a_body_that_is_too_large_is_refused(server: GameServer) -> None:
    for path, method in (("players/alice", "PUT"), ("players/alice/tokens", "POST")):
        assert is_problem(server.call(method, path, "[" * 100_000), 413, "too-large")


def test_another_kind_of_body_is_refused(server: GameServer) -> None:
    answer = server.client.put(
        "/api/v1/players/alice", "<a/>", content_type="text/xml", headers={"Authorization": server.bearer}
    )
    assert is_problem(answer, 415, "unsupported-media-type")


def test_unicode_names_and_empty_fields_are_kept(server: GameServer) -> None:
    server.call("PUT", "players/alice", '{"display_name":"Ἀλίκη 🦉","locale":"","timezone":null}')
    hubs_catch_up(["profiles"])
    answer = server.call("GET", "players/alice").json()
    assert (answer["display_name"], answer["locale"], answer["timezone"]) == ("Ἀλίκη 🦉", "", "")


# -- names in addresses ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "key",
    [
        "steam:7656",
        "eu/west/7",
        "a b",
        "100%",
        "a?b#c",
        "Ἀλίκη🦉",
        "x" * 128,
        "a%2Fb",
        "..",
        "a/tokens/b",
        ".",
    ],
)
def test_any_id_of_a_player_can_be_addressed(server: GameServer, key: str) -> None:
    path = f"players/{quote(key, safe='')}"
    assert server.call("PUT", path, '{"locale":"de"}').json()["stream"] == key
    hubs_catch_up(["profiles"])
    assert server.call("GET", path).json()["player"] == key
    token = server.call("POST", f"{path}/tokens").json()["token"]
    assert tokens.verify(token).player == key


@pytest.mark.parametrize("path", ["x" * 129, "a%00b", "a%0Ab", "a%7Fb", "%00"])
def test_an_id_that_no_player_can_have_is_refused(server: GameServer, path: str) -> None:
    for method, ending in (("PUT", ""), ("GET", ""), ("DELETE", ""), ("POST", "/tokens")):
        assert is_problem(server.call(method, f"players/{path}{ending}"), 422, "invalid")
    assert not Player.objects.exists()


@pytest.mark.parametrize("path", ["players/", "players//", "players/alice/", "players//tokens"])
def test_a_sloppy_address_makes_no_player(server: GameServer, path: str) -> None:
    assert is_problem(server.call("PUT", path, "{}"), 404, "not-found")
    assert not Player.objects.exists()


# -- GET ------------------------------------------------------------------------------------------


def test_a_player_is_described(game: Game, server: GameServer) -> None:
    given_updates(game, "alice", {"locale": "de", "attributes": {"level": 3, "gold": 1e30}})
    answer = server.call("GET", "players/alice").json()
    assert answer.pop("created").endswith("Z")
    assert answer == {
        "player": "alice",
        "locale": "de",
        "timezone": "",
        "display_name": "",
        "attributes": {"level": 3, "gold": 1e30},
        "revision": 1,
        "present": False,
    }


def test_a_player_without_a_profile_is_described_too(game: Game, server: GameServer) -> None:
    given_player(game)
    assert server.call("GET", "players/alice").json()["revision"] == 0


def test_an_unknown_player_and_another_game_s_are_not_found(server: GameServer) -> None:
    given_player(given_game(), "bob")
    assert is_problem(server.call("GET", "players/bob"), 404, "not-found")
    assert is_problem(server.call("DELETE", "players/bob"), 404, "not-found")


def test_at_least_answers_with_the_profile_at_that_place(server: GameServer) -> None:
    place = server.call("PUT", "players/alice", '{"locale":"de"}').json()
    hubs_catch_up(["profiles"])
    answer = server.call("GET", f"players/alice?at_least={place['partition']}:{place['offset']}")
    assert answer.json()["locale"] == "de"


def test_at_least_says_so_when_the_profile_is_not_there_in_time(
    server: GameServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("players.api.views.AT_LEAST_S", 0.05)
    place = server.call("PUT", "players/alice", '{"locale":"de"}').json()
    answer = server.call("GET", f"players/alice?at_least={place['partition']}:{place['offset']}")
    assert is_problem(answer, 504, "not-yet")


@pytest.mark.parametrize(
    "at_least", ["", "1", "1:", ":1", "a:b", "-1:5", "4:1", "999:1", "1:1:1", "1:" + "9" * 19, "١:١"]
)
def test_a_place_that_cannot_be_is_refused(server: GameServer, at_least: str) -> None:
    assert pointers(server.call("GET", f"players/alice?at_least={quote(at_least)}")) == ["/at_least"]


# -- DELETE ---------------------------------------------------------------------------------------


def test_an_erased_player_is_gone_for_good(game: Game, server: GameServer) -> None:
    given_updates(game, "alice", {"display_name": "Alice"})
    assert server.call("DELETE", "players/alice").status_code == 202
    assert is_problem(server.call("GET", "players/alice"), 410, "player-erased")
    assert is_problem(server.call("PUT", "players/alice", '{"locale":"de"}'), 410, "player-erased")
    assert is_problem(server.call("POST", "players/alice/tokens"), 410, "player-erased")
    assert not Event.objects.filter(type="player.updated", version__gt=1).exists(), "nothing more was stored"


def test_erasing_again_is_accepted_and_adds_no_event(game: Game, server: GameServer) -> None:
    given_player(game)
    first, second = server.call("DELETE", "players/alice"), server.call("DELETE", "players/alice")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json() == {"status": "accepted"}
    assert Event.objects.filter(type="player.erased").count() == 1


# -- tokens ---------------------------------------------------------------------------------------


def test_a_token_is_issued_and_its_player_is_made(game: Game, server: GameServer) -> None:
    answer = server.call("POST", "players/alice/tokens")
    assert answer.status_code == 201
    assert set(answer.json()) == {"token", "expires_at"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert tokens.verify(answer.json()["token"]).game_id == game.id
    assert Player.objects.filter(game=game, key="alice").exists()


@pytest.mark.parametrize("ttl", ["59", "86401", '"x"', "null", "1.5", "true"])
def test_a_token_s_life_is_bounded(server: GameServer, ttl: str) -> None:
    assert pointers(server.call("POST", "players/alice/tokens", f'{{"ttl_s":{ttl}}}')) == ["/ttl_s"]


def test_a_blocked_player_gets_no_token(game: Game, server: GameServer) -> None:
    given_player(game, "bob", blocked="2026-01-01T00:00:00Z")
    assert is_problem(server.call("POST", "players/bob/tokens"), 403, "player-refused")


def test_the_same_idempotency_key_gets_the_same_token(server: GameServer) -> None:
    first = server.call("POST", "players/alice/tokens", idempotency_key='"k1"')
    again = server.call("POST", "players/alice/tokens", idempotency_key="k1")
    other = server.call("POST", "players/alice/tokens", idempotency_key="k2")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert other.json()["token"] != first.json()["token"]


def test_the_same_idempotency_key_never_gets_another_player_s_token(server: GameServer) -> None:
    first = server.call("POST", "players/alice/tokens", idempotency_key="k1").json()
    second = server.call("POST", "players/bob/tokens", idempotency_key="k1").json()
    assert tokens.verify(first["token"]).player == "alice"
    assert tokens.verify(second["token"]).player == "bob"


def test_another_payload_under_the_same_idempotency_key_is_refused(server: GameServer) -> None:
    server.call("POST", "players/alice/tokens", '{"ttl_s":60}', idempotency_key="k1")
    answer = server.call("POST", "players/alice/tokens", '{"ttl_s":61}', idempotency_key="k1")
    assert is_problem(answer, 422, "idempotency-key-reused")


def test_what_is_stored_under_an_idempotency_key_is_no_token(server: GameServer) -> None:
    token = server.call("POST", "players/alice/tokens", idempotency_key="k1").json()["token"]
    stored = IdempotencyKey.objects.get().response_body
    assert token.split(".")[2] not in stored
    assert token not in stored


def test_a_repeat_for_a_player_who_was_blocked_since_gets_none(server: GameServer) -> None:
    server.call("POST", "players/bob/tokens", idempotency_key="k1")
    Player.objects.update(blocked="2026-01-01T00:00:00Z")
    answer = server.call("POST", "players/bob/tokens", idempotency_key="k1")
    assert is_problem(answer, 403, "player-refused")


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "ключ"])
def test_an_idempotency_key_that_is_none_is_refused(server: GameServer, key: str) -> None:
    assert is_problem(
        server.call("POST", "players/alice/tokens", idempotency_key=key), 400, "idempotency-key"
    )


# -- who may --------------------------------------------------------------------------------------

CALLS = [
    ("GET", "players/alice", "players:read"),
    ("PUT", "players/alice", "players:write"),
    ("DELETE", "players/alice", "players:write"),
    ("POST", "players/alice/tokens", "tokens:issue"),
]


@pytest.mark.parametrize(("method", "path", "scope"), CALLS)
def test_each_call_needs_its_scope(game: Game, method: str, path: str, scope: str) -> None:
    given_player(game)
    without, with_it = GameServer(game, keys.SCOPES - {scope}), GameServer(game, {scope})
    assert is_problem(without.call(method, path, ""), 403, "forbidden")
    assert with_it.call(method, path, "").status_code < 300


@pytest.mark.parametrize(("method", "path"), [call[:2] for call in CALLS])
@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic YTpi", "Bearer"])
def test_no_call_goes_without_a_key(method: str, path: str, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = Client().generic(method, f"/api/v1/{path}", headers=headers)
    assert is_problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize(("method", "path"), [("POST", "players/alice"), ("GET", "players/alice/tokens")])
def test_other_methods_are_refused(server: GameServer, method: str, path: str) -> None:
    assert is_problem(server.call(method, path), 405, "method-not-allowed")


def test_a_database_that_is_away_is_a_503(server: GameServer, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise OperationalError("the connection is closed")

    monkeypatch.setattr("players.api.views.is_present", away)
    server.call("POST", "players/alice/tokens")
    answer = server.call("GET", "players/alice")
    assert is_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "1"


def test_the_hub_that_is_waited_for_is_the_one_that_folds() -> None:
    assert [type(each) for each in PROFILES.projections] == [Profiles]
