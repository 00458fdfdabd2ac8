"""``POST /api/v1/notifications``: players are told without a rule, through the log all the same."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from queue import Queue
from threading import Thread
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from events import keys, log
from events.errors import LogUnavailable, Overloaded
from events.lanes import Lane
from events.models import ApiKey, Event, Game, IdempotencyKey
from notifications.models import FanOut, Notification, Rule
from players.erasing import erase
from tests.given import an_event, given_events, given_game
from tests.notifications.given import counters, decide, decisions, given_rule, notifications
from tests.players.people import GameServer, given_player

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
PROBLEM = "application/problem+json"
Post = Callable[..., HttpResponse]


@pytest.fixture
def game() -> Game:
    return given_game(partitions=4)


@pytest.fixture
def server(game: Game) -> GameServer:
    return GameServer(game)


@pytest.fixture
def post(server: GameServer) -> Post:
    """Post something to Alice, changed as asked; a member that is ``...`` is left out."""

    def post(headers: dict[str, str] | None = None, **changes: Any) -> HttpResponse:
        body = {"players": ["alice"], "title": "Hello"} | {
            name.rstrip("_"): changes[name] for name in changes
        }
        text = json.dumps({name: value for name, value in body.items() if value is not ...})
        return server.call("POST", "notifications", text, **(headers or {}))

    return post


def is_problem(answer: HttpResponse, status: int, slug: str) -> bool:
    assert answer.headers["Content-Type"] == PROBLEM, answer.content
    told = answer.json()
    assert {"type", "title", "status", "detail"} <= set(told)
    assert (answer.status_code, told["status"], told["type"]) == (status, status, f"/problems/{slug}")
    return True


def pointers(answer: HttpResponse) -> list[str]:
    assert is_problem(answer, 422, "invalid")
    return [error["pointer"] for error in answer.json()["errors"]]


# -- what it does ---------------------------------------------------------------------------------


def test_a_post_goes_through_the_log_and_the_hub(game: Game, post: Post) -> None:
    with time_machine.travel(NOON, tick=False):
        answer = post(
            players=["alice", "bob"], category="social", title="Come home", body="We miss you",
            data={"link": "/home", "n": 7}, expires="2026-11-24T14:00:00+01:00",
        )  # fmt: skip
        event = Event.objects.get()
        assert (event.type, event.source, event.lane) == (
            "notification.posted",
            "clarion:direct",
            Lane.NORMAL,
        )
        assert answer.status_code == 202
        assert answer.json() == {
            "status": "appended", "id": event.event_id, "stream": event.stream, "version": 1,
            "partition": event.partition.number, "offset": event.offset,
        }  # fmt: skip
        assert not Notification.objects.exists(), "the hub does it"
        decide()
    for key in ("alice", "bob"):
        (row,) = notifications(game, key)
        assert (row.title, row.body, row.category) == ("Come home", "We miss you", "social")
        assert (row.notification_class, json.loads(row.data)) == ("inbox", {"link": "/home", "n": 7})
        assert row.expires == NOON + timedelta(hours=1)
        assert counters(game, key) == (1, 1, 1)
    assert {row.rule.slug for row in decisions(game)} == {"clarion:direct"}


def test_only_players_and_a_title_are_needed(game: Game, post: Post) -> None:
    post()
    decide()
    (row,) = notifications(game)
    assert (row.title, row.body, row.category, row.notification_class) == ("Hello", "", "general", "inbox")
    assert (row.data, row.expires) == ("{}", None)


def test_what_is_live_has_an_end_and_is_not_in_the_inbox(game: Game, post: Post) -> None:
    ends = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    assert post(class_="live", expires=ends).status_code == 202
    decide()
    assert counters(game) == (1, 1, 0)


def test_what_comes_too_late_is_accepted_and_suppressed(game: Game, post: Post) -> None:
    assert post(expires="2020-01-01T00:00:00Z").status_code == 202
    decide()
    assert [(row.outcome, row.gates[-1]["reason"]) for row in decisions(game)] == [("suppressed", "expired")]


def test_an_erased_player_hears_nothing(game: Game, post: Post) -> None:
    erase(given_player(game))
    post()
    decide()
    assert [row.outcome for row in decisions(game)] == ["suppressed"]


def test_many_players_are_told_in_pages(post: Post) -> None:
    post(players=[f"p{number}" for number in range(150)])
    decide()
    assert FanOut.objects.get().cursor == 150
    assert Notification.objects.count() == 150


def test_words_are_taken_as_they_are(game: Game, post: Post) -> None:
    post(title="{{ data.x }} <b>&amp;</b>", body=" {% if %} ")
    decide()
    (row,) = notifications(game)
    assert (row.title, row.body) == ("{{ data.x }} <b>&amp;</b>", "{% if %}")


def test_a_player_s_id_is_taken_to_the_letter(game: Game, post: Post) -> None:
    post(players=[" alice", "alice "])
    decide()
    assert len(notifications(game, " alice")) == len(notifications(game, "alice ")) == 1


def test_a_game_s_own_event_of_that_type_is_no_post(game: Game, post: Post) -> None:
    post()
    given_events(game, an_event(type="notification.posted", data={"players": ["alice"], "title": "You won"}))
    decide()
    assert [row.title for row in notifications(game)] == ["Hello"]


def test_a_rule_of_staff_s_that_is_called_direct_takes_nothing_away(game: Game, post: Post) -> None:
    given_rule(game, slug="direct")
    post()
    decide()
    assert len(notifications(game)) == 1
    assert Rule.objects.filter(game=game).count() == 2


# -- once -----------------------------------------------------------------------------------------


def test_the_same_id_is_done_once(game: Game, post: Post) -> None:
    first, again = post(id="n1"), post(id="n1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert (first.json()["status"], again.json()["status"]) == ("appended", "duplicate")
    assert {**again.json(), "status": "appended"} == first.json()
    assert first.json()["id"] == "n1"
    decide()
    assert counters(game) == (1, 1, 1)


def test_without_an_id_each_post_is_one_of_its_own(game: Game, post: Post) -> None:
    assert post().json()["id"] != post().json()["id"]
    decide()
    assert counters(game) == (2, 2, 2)


def test_the_same_idempotency_key_is_done_once_and_answered_the_same(game: Game, post: Post) -> None:
    first, again = post({"Idempotency-Key": '"k1"'}), post({"Idempotency-Key": "k1"})
    assert (again.status_code, again.json()) == (first.status_code, first.json())
    assert first.json()["status"] == "appended"
    assert post({"Idempotency-Key": "k2"}).json()["id"] != first.json()["id"]
    decide()
    assert counters(game) == (2, 2, 2)


def test_another_payload_under_the_same_key_is_refused(game: Game, post: Post) -> None:
    post({"Idempotency-Key": "k1"})
    answer = post({"Idempotency-Key": "k1"}, title="Other")
    assert is_problem(answer, 422, "idempotency-key-reused")
    decide()
    assert [row.title for row in notifications(game)] == ["Hello"]


def test_after_a_day_the_same_key_is_a_new_post(game: Game, post: Post) -> None:
    with time_machine.travel(NOON, tick=False):
        first = post({"Idempotency-Key": "k1"}).json()
    with time_machine.travel(NOON + timedelta(hours=24), tick=False):
        assert post({"Idempotency-Key": "k1"}, title="Other").json()["id"] != first["id"]
    decide()
    assert {row.title for row in notifications(game)} == {"Hello", "Other"}


def test_a_post_with_an_id_of_its_own_needs_no_key(post: Post) -> None:
    post({"Idempotency-Key": "k1"}, id="n1")
    assert post({"Idempotency-Key": "k1"}, id="n2", title="Other").json()["status"] == "appended"
    assert not IdempotencyKey.objects.exists()


def test_a_key_belongs_to_the_caller(game: Game, post: Post) -> None:
    post({"Idempotency-Key": "k1"})
    body = '{"players":["alice"],"title":"Other"}'
    assert GameServer(game).call("POST", "notifications", body, idempotency_key="k1").status_code == 202
    assert (
        GameServer(given_game()).call("POST", "notifications", body, idempotency_key="k1").status_code == 202
    )
    assert Event.objects.count() == 3


def test_a_first_post_that_is_still_running_is_in_conflict(post: Post) -> None:
    post({"Idempotency-Key": "k1"})
    IdempotencyKey.objects.update(status=IdempotencyKey.Status.RUNNING)
    assert is_problem(post({"Idempotency-Key": "k1"}), 409, "idempotency-key-running")


@pytest.mark.parametrize("key", ["", '""', "x" * 256, "ключ"])
def test_a_key_that_is_none_is_refused(post: Post, key: str) -> None:
    assert is_problem(post({"Idempotency-Key": key}), 400, "idempotency-key")
    assert not Event.objects.exists()


@pytest.mark.parametrize("stored", [True, False], ids=["stored and then died", "died before"])
def test_a_post_whose_answer_was_lost_may_be_sent_again(
    game: Game, post: Post, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    """Whatever the log had done by then: the key leads to the same event."""
    append = log.append

    def append_and_die(*args: Any) -> Any:
        if stored:
            append(*args)
        raise LogUnavailable("the connection is closed")

    with monkeypatch.context() as broken:
        broken.setattr(log, "append", append_and_die)
        assert is_problem(post({"Idempotency-Key": "k1"}), 503, "unavailable")
    assert Event.objects.count() == stored
    assert post({"Idempotency-Key": "k1"}).json()["status"] == "appended"
    decide()
    assert counters(game) == (1, 1, 1)


def test_the_first_posts_of_a_game_may_come_at_once(game: Game) -> None:
    """Each of them finds that the game has no rule for direct posts yet."""
    answers: Queue[int] = Queue()

    def send(server: GameServer, number: int) -> None:
        body = json.dumps({"players": ["alice"], "title": f"Hello {number}"})
        answers.put(server.call("POST", "notifications", body).status_code)
        connection.close()

    threads = [Thread(target=send, args=(GameServer(game), number)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [answers.get(timeout=1) for _ in threads] == [202] * 4
    decide()
    assert counters(game) == (4, 4, 4)
    assert Rule.objects.filter(game=game).count() == 1


# -- what is refused: nothing reaches the log, and so these tests need no transactions of their own ---


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"players": ...}, ["/players"]),
        ({"players": []}, ["/players"]),
        ({"players": "alice"}, ["/players"]),
        ({"players": None}, ["/players"]),
        ({"players": ["alice", 7]}, ["/players/1"]),
        ({"players": ["", "x" * 129]}, ["/players/0", "/players/1"]),
        ({"players": ["a\nb"]}, ["/players/0"]),
        ({"players": [None, True, {}, []]}, [f"/players/{n}" for n in range(4)]),
        ({"players": ["p"] * 1_001}, ["/players"]),
        ({"title": ...}, ["/title"]),
        ({"title": ""}, ["/title"]),
        ({"title": "   "}, ["/title"]),
        ({"title": "\x01"}, ["/title"]),
        ({"title": 7}, ["/title"]),
        ({"title": True}, ["/title"]),
        ({"title": None}, ["/title"]),
        ({"title": ["x"]}, ["/title"]),
        ({"title": "x" * 201}, ["/title"]),
        ({"title": "a\x00"}, ["/title"]),
        ({"title": "\ud800"}, ["/title"]),
        ({"body": 7}, ["/body"]),
        ({"body": "x" * 4_001}, ["/body"]),
        ({"category": ""}, ["/category"]),
        ({"category": "a b"}, ["/category"]),
        ({"category": "social\n"}, ["/category"]),
        ({"category": "x" * 41}, ["/category"]),
        ({"category": 7}, ["/category"]),
        ({"class_": "reward"}, ["/class"]),
        ({"class_": ["inbox"]}, ["/class"]),
        ({"class_": None}, ["/class"]),
        ({"class_": "live"}, ["/expires"]),
        ({"class_": "live", "expires": None}, ["/expires"]),
        ({"expires": "2026-11-24T12:00:00"}, ["/expires"]),
        ({"expires": "2026-11-24"}, ["/expires"]),
        ({"expires": "tomorrow"}, ["/expires"]),
        ({"expires": "0001-01-01T00:00:00+10:00"}, ["/expires"]),
        ({"expires": "9999-12-31T23:59:59-10:00"}, ["/expires"]),
        ({"expires": 1764000000}, ["/expires"]),
        ({"expires": ""}, ["/expires"]),
        ({"id": ""}, ["/id"]),
        ({"id": 7}, ["/id"]),
        ({"id": "x" * 256}, ["/id"]),
        ({"id": None}, ["/id"]),
        ({"data": []}, ["/data"]),
        ({"data": "x"}, ["/data"]),
        ({"data": {"a": "x" * 8_192}}, ["/data"]),
        ({"data": {"a": float("nan")}}, ["/data/a"]),
        ({"data": {"a": [10**30]}}, ["/data/a/0"]),
        ({"data": {"a": "\ud800"}}, ["/data/a"]),
        ({"data": {"a\x00": 1}}, ["/data"]),
        ({"title": 7, "players": [7], "class_": "x"}, ["/players/0", "/title", "/class"]),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_bad_posts_are_refused_with_pointers_and_nothing_is_stored(
    post: Post, changes: dict[str, Any], expected: list[str]
) -> None:
    assert pointers(post(**changes)) == expected
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("body", ["[]", "7", "null", '"x"'])
def test_a_body_that_is_no_object_is_refused(server: GameServer, body: str) -> None:
    assert pointers(server.call("POST", "notifications", body)) == [""]


@pytest.mark.django_db
def test_no_body_is_refused_with_what_is_needed(server: GameServer) -> None:
    assert pointers(server.call("POST", "notifications", "")) == ["/players", "/title"]


@pytest.mark.django_db
def test_nesting_is_bounded(server: GameServer) -> None:
    deep = '{"players":["alice"],"title":"x","data":{"a":' + "[" * 63 + "]" * 63 + "}}"
    assert pointers(server.call("POST", "notifications", deep)) == [""]


@pytest.mark.django_db
@pytest.mark.parametrize("body", ["{", b"\xff", "{'a':1}"])
def test_a_body_that_is_no_json_is_refused(server: GameServer, body: Any) -> None:
    assert is_problem(server.call("POST", "notifications", body), 400, "unreadable")


@pytest.mark.django_db
def test_a_post_that_is_too_large_is_refused(post: Post) -> None:
    assert is_problem(post(players=[f"{number:0128}" for number in range(600)]), 413, "too-large")
    assert not Event.objects.exists()


def test_a_post_is_measured_in_bytes(server: GameServer) -> None:
    """64 KiB of text in other alphabets are fewer characters."""

    def send(count: int) -> HttpResponse:
        players = [f"{number:03}" + "é" * 100 for number in range(count)]
        return server.call(
            "POST", "notifications", json.dumps({"players": players, "title": "x"}, ensure_ascii=False)
        )

    assert send(300).status_code == 202
    assert is_problem(send(320), 413, "too-large")


@pytest.mark.django_db
def test_another_kind_of_body_is_refused(server: GameServer) -> None:
    answer = server.client.post(
        "/api/v1/notifications", "<a/>", content_type="text/xml", headers={"Authorization": server.bearer}
    )
    assert is_problem(answer, 415, "unsupported-media-type")


# -- who may --------------------------------------------------------------------------------------


def test_it_needs_its_scope(game: Game) -> None:
    body = '{"players":["alice"],"title":"x"}'
    without = GameServer(game, keys.SCOPES - {"events:write"})
    assert is_problem(without.call("POST", "notifications", body), 403, "forbidden")
    assert not Event.objects.exists()
    assert GameServer(game, {"events:write"}).call("POST", "notifications", body).status_code == 202


@pytest.mark.django_db
@pytest.mark.parametrize("authorization", [None, "Bearer wrong", "Basic YTpi", "Bearer"])
def test_it_needs_a_key(authorization: str | None) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = Client().post("/api/v1/notifications", {}, content_type="application/json", headers=headers)
    assert is_problem(answer, 401, "unauthorized")


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_are_refused(server: GameServer, method: str) -> None:
    assert is_problem(server.call(method, "notifications"), 405, "method-not-allowed")


def test_a_key_s_limit_counts_here_too(server: GameServer) -> None:
    ApiKey.objects.update(rate_limit=1)
    body = '{"players":["alice"],"title":"x"}'
    assert server.call("POST", "notifications", body).status_code == 202
    answer = server.call("POST", "notifications", body)
    assert is_problem(answer, 429, "rate-limit")
    assert int(answer.headers["Retry-After"]) > 0


# -- anything at all ------------------------------------------------------------------------------

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from(["alice", "inbox", "live", "2030-01-01T00:00:00Z", "x" * 300]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = ["id", "players", "class", "category", "title", "body", "data", "expires", "other"]
BODIES = st.fixed_dictionaries(
    {"players": st.just(["alice"]) | VALUES, "title": st.text(min_size=1, max_size=9) | VALUES},
    optional={name: VALUES for name in MEMBERS if name not in ("players", "title")},
)


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=BODIES | VALUES)
def test_no_post_is_a_server_error_and_what_is_accepted_can_be_decided(
    game: Game, server: GameServer, body: Any
) -> None:
    answer = server.call("POST", "notifications", json.dumps(body))
    assert answer.status_code in {202, 413, 422}, answer.content
    if answer.status_code == 202:
        decide()
        event = Event.objects.get(event_id=answer.json()["id"])
        made = decisions(game, event=event)
        assert made
        assert {row.outcome for row in made} <= {"sent", "suppressed"}, made[0].gates


def test_a_post_is_refused_while_its_lane_is_and_is_welcome_later(
    game: Game, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under the same Idempotency-Key too: what was refused is not remembered as done."""

    def refuse(game_id: int, lane: Lane) -> None:
        assert (game_id, lane) == (game.pk, Lane.NORMAL)
        raise Overloaded([lane.label], 12)

    with monkeypatch.context() as patched:
        patched.setattr("events.pressure.admit", refuse)
        answer = post({"Idempotency-Key": "k"})
    assert is_problem(answer, 429, "overloaded")
    assert answer.headers["Retry-After"] == "12"
    assert not Event.objects.exists()
    assert post({"Idempotency-Key": "k"}).json()["status"] == "appended"
