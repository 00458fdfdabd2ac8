"""A player's inbox over HTTP, as the protocol has it."""

import json  # the only one that writes NaN and half surrogates
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import orjson
import pytest
import time_machine
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events.models import Game
from notifications import announcements
from notifications.api import inbox
from notifications.inbox.states import IDS_MAX
from players import tokens
from players.erasing import erase
from players.models import Player
from tests.given import given_game
from tests.notifications.given import Device, counters, given_inbox, notifications, player, uids

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PROBLEM = "application/problem+json"
CALLS = [
    ("GET", "inbox"),
    ("POST", "inbox/read"),
    ("POST", "inbox/seen"),
    ("POST", "inbox/archive"),
    ("GET", "announcements"),
]


@pytest.fixture
def game() -> Game:
    """Make a game in which Alice has five notifications, all new."""
    game = given_game(partitions=1)
    given_inbox(game, 5)
    return game


@pytest.fixture
def device(game: Game) -> Device:
    return Device(game)


@pytest.fixture
def empty_game() -> Game:
    """Make a game without events: enough where a call is refused, and no test transaction is in its way."""
    return given_game()


@pytest.fixture
def newcomer(empty_game: Game) -> Device:
    return Device(empty_game)


def is_problem(answer: HttpResponse, status: int, slug: str) -> bool:
    assert answer.headers["Content-Type"] == PROBLEM, answer.content
    told = answer.json()
    assert {"type", "title", "status", "detail"} <= set(told)
    assert (answer.status_code, told["status"], told["type"]) == (status, status, f"/problems/{slug}")
    return True


def pointers(answer: HttpResponse) -> list[str]:
    assert is_problem(answer, 422, "invalid")
    return [error["pointer"] for error in answer.json()["errors"]]


def numbers(answer: HttpResponse) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [item["number"] for item in answer.json()["items"]]


def listed(*ids: UUID) -> str:
    return orjson.dumps({"ids": [str(each) for each in ids]}).decode()


# -- GET inbox ------------------------------------------------------------------------------------


def test_an_inbox_is_a_page_with_where_the_player_stands(game: Game, device: Device) -> None:
    answer = device.call("GET", "inbox?limit=2")
    body = answer.json()
    assert set(body) == {"items", "epoch", "head", "unread", "next"}
    assert (body["epoch"], body["head"], body["unread"], body["next"]) == ("e1", 5, 5, 4)
    row = notifications(game)[-1]
    assert body["items"][0] == {
        "number": 5, "seq": 5, "id": str(row.uid), "class": "inbox", "category": "general",
        "title": "Thing 4", "body": "", "data": {}, "actions": [],
        "created": row.created.isoformat().replace("+00:00", "Z"),
        "expires": None, "read": None, "seen": None, "archived": None, "claimed": None, "replaces": None,
    }  # fmt: skip
    assert answer.headers["Cache-Control"] == "no-store"


def test_pages_go_on_where_the_last_ended(device: Device) -> None:
    first = device.call("GET", "inbox?limit=3")
    assert numbers(first) == [5, 4, 3]
    last = device.call("GET", f"inbox?limit=3&before={first.json()['next']}")
    assert numbers(last) == [2, 1]
    assert last.json()["next"] is None


def test_an_inbox_is_filtered(game: Game, device: Device) -> None:
    given_inbox(game, 1, category="gifts")
    device.call("POST", "inbox/read", '{"through":2}')
    assert numbers(device.call("GET", "inbox?unread=true")) == [6, 5, 4, 3]
    assert numbers(device.call("GET", "inbox?unread=1&category=general&limit=2")) == [5, 4]
    assert numbers(device.call("GET", "inbox?unread=false&category=gifts")) == [6]


def test_what_is_asked_with_nothing_is_as_if_left_out(device: Device) -> None:
    assert numbers(device.call("GET", "inbox?before=&limit=&category=")) == [5, 4, 3, 2, 1]


def test_a_player_who_has_nothing_has_an_empty_inbox(game: Game) -> None:
    body = Device(game, "newcomer").call("GET", "inbox").json()
    assert body == {"items": [], "epoch": "e1", "head": 0, "unread": 0, "next": None}


def test_the_head_is_never_newer_than_what_is_shown(
    game: Game, device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client resumes from it: what came meanwhile may come twice, but never not at all."""
    read = inbox.page

    def page_after_something_came(*args: Any, **kwargs: Any) -> Any:
        given_inbox(game, 1)
        return read(*args, **kwargs)

    monkeypatch.setattr(inbox, "page", page_after_something_came)
    body = device.call("GET", "inbox").json()
    assert (body["items"][0]["seq"], body["head"]) == (6, 5)


def test_a_restore_renews_the_epoch(game: Game, device: Device) -> None:
    Game.objects.filter(pk=game.pk).update(epoch=2)
    assert device.call("GET", "inbox").json()["epoch"] == "e2"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("before=x", ["/before"]),
        ("before=-1", ["/before"]),
        ("before=1.5", ["/before"]),
        (f"before={2**63}", ["/before"]),
        ("limit=0", ["/limit"]),
        ("limit=101", ["/limit"]),
        ("unread=perhaps", ["/unread"]),
        ("category=a%20b", ["/category"]),
        ("category=a%00", ["/category"]),
        ("category=" + "x" * 41, ["/category"]),
        ("before=x&limit=x", ["/before", "/limit"]),
    ],
)
def test_a_question_that_cannot_be_is_refused(newcomer: Device, query: str, expected: list[str]) -> None:
    assert pointers(newcomer.call("GET", f"inbox?{query}")) == expected


# -- states ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "member", "unread"),
    [("read", "read", 3), ("seen", "seen", 5), ("archive", "archived", 3)],
)
def test_states_by_ids_are_answered_with_head_and_unread(
    game: Game, device: Device, path: str, member: str, unread: int
) -> None:
    ids = uids(game)
    answer = device.call("POST", f"inbox/{path}", listed(ids[0], ids[3]))
    assert (answer.status_code, answer.json()) == (200, {"head": 7, "unread": unread})
    assert device.call("POST", f"inbox/{path}", listed(ids[3], ids[0])).json() == answer.json()
    assert [row.number for row in notifications(game) if getattr(row, member)] == [1, 4]


@pytest.mark.parametrize(("path", "unread"), [("read", 2), ("seen", 5)])
def test_a_mark_is_one_change(game: Game, device: Device, path: str, unread: int) -> None:
    answer = device.call("POST", f"inbox/{path}", '{"through":3}')
    assert answer.json() == {"head": 6, "unread": unread}
    assert counters(game) == (6, 5, unread)


def test_ids_of_others_and_of_nobody_are_ignored(game: Game, device: Device) -> None:
    given_inbox(game, 1, "bob")
    answer = device.call("POST", "inbox/read", listed(*uids(game, "bob"), uuid4()))
    assert (answer.status_code, answer.json()) == (200, {"head": 5, "unread": 5})
    assert counters(game, "bob") == (1, 1, 1)


def test_the_same_player_s_id_in_another_game_is_another_player(game: Game) -> None:
    other = given_game()
    answer = Device(other).call("POST", "inbox/read", listed(*uids(game)))
    assert answer.json() == {"head": 0, "unread": 0}
    assert counters(game) == (5, 5, 5)


def test_no_ids_are_no_changes(device: Device) -> None:
    for path in ("read", "seen", "archive"):
        assert device.call("POST", f"inbox/{path}", '{"ids":[]}').json() == {"head": 5, "unread": 5}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", [""]),
        ("{}", [""]),
        ("[]", [""]),
        ("7", [""]),
        ("null", [""]),
        ('{"ids":[],"through":3}', [""]),
        ('{"ids":7}', ["/ids"]),
        ('{"ids":null}', ["/ids"]),
        ('{"ids":["no id"]}', ["/ids/0"]),
        ('{"ids":["6f9d0c7e-6d0f-5a57-9a55-7b1f0c6f3f2a",{}]}', ["/ids/1"]),
        ('{"ids":["a\\u0000"]}', ["/ids/0"]),
        ('{"through":-1}', ["/through"]),
        ('{"through":"x"}', ["/through"]),
        ('{"through":1.5}', ["/through"]),
        ('{"through":null}', ["/through"]),
        ('{"through":true}', ["/through"]),
        ('{"through":9223372036854775808}', ["/through"]),
        ('{"through":123456789012345678901234567890}', ["/through"]),
        ("[" * 65, [""]),
    ],
    ids=lambda value: repr(value)[:30],
)
@pytest.mark.parametrize("path", ["read", "seen"])
def test_bad_states_are_refused_with_pointers(
    newcomer: Device, path: str, body: str, expected: list[str]
) -> None:
    assert pointers(newcomer.call("POST", f"inbox/{path}", body)) == expected


@pytest.mark.parametrize(
    ("body", "expected"), [('{"through":3}', ["/ids"]), ("{}", ["/ids"]), ('{"ids":7}', ["/ids"])]
)
def test_archive_takes_ids_only(game: Game, device: Device, body: str, expected: list[str]) -> None:
    assert pointers(device.call("POST", "inbox/archive", body)) == expected
    assert counters(game) == (5, 5, 5)


@pytest.mark.django_db
def test_so_many_ids_and_no_more_are_taken_at_once(newcomer: Device) -> None:
    ids = [uuid4() for _ in range(IDS_MAX + 1)]
    assert newcomer.call("POST", "inbox/read", listed(*ids[1:])).status_code == 200
    assert pointers(newcomer.call("POST", "inbox/read", listed(*ids))) == ["/ids"]


@pytest.mark.django_db
@pytest.mark.parametrize("body", ["{", b"\xff", "{} {}"])
def test_a_body_that_is_no_json_is_refused(newcomer: Device, body: Any) -> None:
    assert is_problem(newcomer.call("POST", "inbox/read", body), 400, "unreadable")


@pytest.mark.django_db
def test_a_body_that_is_too_large_is_refused(newcomer: Device) -> None:
    assert is_problem(newcomer.call("POST", "inbox/read", "[" * 100_000), 413, "too-large")


@pytest.mark.django_db
def test_another_kind_of_body_is_refused(newcomer: Device) -> None:
    answer = newcomer.client.post(
        "/api/v1/inbox/read", "<a/>", content_type="text/xml", headers={"Authorization": newcomer.bearer}
    )
    assert is_problem(answer, 415, "unsupported-media-type")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.uuids().map(str),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["ids", "through", "x"]), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=ANYTHING, path=st.sampled_from(["read", "seen", "archive"]))
def test_no_body_is_a_server_error(game: Game, body: Any, path: str) -> None:
    answer = Device(game).call("POST", f"inbox/{path}", json.dumps(body))
    assert answer.status_code in {200, 400, 413, 422}, answer.content


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    query=st.dictionaries(
        st.sampled_from(["before", "limit", "unread", "category"]), st.text(max_size=6) | st.integers()
    )
)
def test_no_question_is_a_server_error(game: Game, query: dict[str, Any]) -> None:
    device = Device(game)
    answer = device.client.get("/api/v1/inbox", query, headers={"Authorization": device.bearer})
    assert answer.status_code in {200, 422}, answer.content


# -- announcements --------------------------------------------------------------------------------


def test_the_current_announcements_are_shown_with_the_game_s_sequence(game: Game) -> None:
    with time_machine.travel(NOON, tick=False):
        first = announcements.put(game.id, title="Season two", body="Soon", data={"season": 2})
        announcements.put(game.id, title="Over soon", expires=NOON + timedelta(seconds=60))
        announcements.end(announcements.put(game.id, title="A mistake"))
        announcements.put(given_game().id, title="Another game's")
    with time_machine.travel(NOON + timedelta(seconds=60), tick=False):
        body = Device(game).call("GET", "announcements").json()
    assert body["announcements"] == 4
    assert body["items"] == [
        {
            "number": None, "seq": 1, "id": str(first.uid), "class": "announcement", "category": "announcement",
            "title": "Season two", "body": "Soon", "data": {"season": 2}, "actions": [],
            "created": "2026-11-24T12:00:00Z", "expires": None, "read": None, "seen": None,
            "archived": None, "claimed": None, "replaces": None,
        }
    ]  # fmt: skip


def test_an_announcement_is_read_by_each_player_for_themselves(game: Game, device: Device) -> None:
    first, second = announcements.put(game.id, title="one"), announcements.put(game.id, title="other")
    with time_machine.travel(NOON, tick=False):
        answer = Device(game).call("POST", "inbox/read", listed(first.uid))
    assert answer.json() == {"head": 6, "unread": 5}
    shown = {item["id"]: item["read"] for item in device.call("GET", "announcements").json()["items"]}
    assert shown == {str(first.uid): "2026-11-24T12:00:00Z", str(second.uid): None}
    others = Device(game, "bob").call("GET", "announcements").json()["items"]
    assert [item["read"] for item in others] == [None, None]


def test_an_announcement_is_not_in_the_inbox(game: Game, device: Device) -> None:
    announcements.put(game.id, title="Season two")
    body = device.call("GET", "inbox").json()
    assert (len(body["items"]), body["unread"]) == (5, 5)


# -- who may --------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), CALLS)
@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic YTpi", "Bearer", "Bearer a.b.c"])
def test_no_call_goes_without_a_token(method: str, path: str, authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = Client().generic(method, f"/api/v1/{path}", headers=headers)
    assert is_problem(answer, 401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_token_in_the_address_counts_for_nothing(empty_game: Game, method: str, path: str) -> None:
    token = tokens.issue(empty_game, "alice")[0]
    answer = Client().generic(method, f"/api/v1/{path}?token={token}&access_token={token}")
    assert is_problem(answer, 401, "unauthorized")


@pytest.mark.django_db
def test_an_expired_token_is_refused(empty_game: Game) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=2), tick=False):
        device = Device(empty_game)
    assert is_problem(device.call("GET", "inbox"), 401, "unauthorized")


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_blocked_player_stays_outside(game: Game, method: str, path: str) -> None:
    device = Device(game)
    Player.objects.update(blocked=NOON)
    assert is_problem(device.call(method, path, '{"ids":[]}'), 403, "player-refused")


def test_an_erased_player_stays_outside(game: Game, device: Device) -> None:
    erase(player(game))
    assert is_problem(device.call("GET", "inbox"), 403, "player-refused")


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_page_of_an_origin_that_the_game_does_not_allow_is_refused_before_any_effect(
    game: Game, method: str, path: str
) -> None:
    Game.objects.filter(pk=game.pk).update(allowed_origins=["https://play.example"])
    device, body = Device(game), listed(*uids(game))
    answer = device.call(method, path, body, origin="https://mallory.example")
    assert is_problem(answer, 403, "origin-refused")
    assert counters(game) == (5, 5, 5)
    allowed = device.call(method, path, body, origin="https://play.example")
    assert allowed.status_code == 200
    assert allowed.headers["Access-Control-Allow-Origin"] == "https://play.example"
    assert "Origin" in allowed.headers["Vary"]
    assert "Access-Control-Allow-Credentials" not in allowed.headers


@pytest.mark.parametrize("path", sorted({path for _, path in CALLS}))
def test_a_preflight_is_granted_and_does_nothing(game: Game, path: str) -> None:
    answer = Client().options(
        f"/api/v1/{path}",
        headers={
            "Origin": "https://play.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        },
    )
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "https://play.example"
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]
    assert counters(game) == (5, 5, 5)


# -- the rest -------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "inbox"), ("GET", "inbox/read"), ("DELETE", "inbox/archive"), ("POST", "announcements")],
)
def test_other_methods_are_refused(newcomer: Device, method: str, path: str) -> None:
    assert is_problem(newcomer.call(method, path, "{}"), 405, "method-not-allowed")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "nothing"),
        ("GET", ""),
        ("GET", "inbox/"),
        ("POST", "inbox/steal"),
        ("GET", "inbox/6f9d0c7e-6d0f-5a57-9a55-7b1f0c6f3f2a"),
        ("DELETE", "announcements/7"),
        ("GET", "%00"),
        ("GET", "inbox%0A"),
    ],
)
def test_what_is_not_there_is_a_problem(newcomer: Device, method: str, path: str) -> None:
    assert is_problem(newcomer.call(method, path, ""), 404, "not-found")


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/api/", "/api/v2/inbox", "/api/v1"])
def test_other_addresses_below_the_api_are_problems_too(path: str) -> None:
    assert is_problem(Client().get(path), 404, "not-found")


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_database_that_is_away_is_a_503(
    game: Game, monkeypatch: pytest.MonkeyPatch, method: str, path: str
) -> None:
    device = Device(game)

    def away(*_: Any, **__: Any) -> None:
        raise OperationalError("the connection is closed")

    for name in (
        "notifications.api.inbox.page",
        "notifications.api.inbox.apply",
        "notifications.announcements.current",
    ):
        monkeypatch.setattr(name, away)
    answer = device.call(method, path, '{"ids":[]}')
    assert is_problem(answer, 503, "unavailable")
    assert answer.headers["Retry-After"] == "1"
