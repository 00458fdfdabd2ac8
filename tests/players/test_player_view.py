"""Players' own calls: the token decides who, the game decides from which pages."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.http import HttpResponse
from django.test import RequestFactory
from rest_framework.request import Request
from rest_framework.response import Response

from events import keys
from events.models import Game
from players import tokens
from players.api.auth import PlayerView
from players.models import TokenKey
from tests.given import given_game
from tests.players.people import given_player

pytestmark = pytest.mark.django_db
PAGE, MALLORYS = "https://play.example", "https://mallory.test"


class WhoAmI(PlayerView):
    calls: list[str] = []

    def get(self, request: Request) -> Response:
        self.calls.append(request.user.key)
        return Response({"player": request.user.key, "jti": request.auth.jti})

    def post(self, request: Request) -> Response:
        return Response(request.data)


@pytest.fixture
def game() -> Game:
    WhoAmI.calls.clear()
    return given_game(allowed_origins=[PAGE])


def call(
    token: str | None, method: str = "GET", path: str = "/", body: Any = "", **headers: str
) -> HttpResponse:
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    request = RequestFactory().generic(method, path, body, content_type="application/json", headers=headers)
    response = WhoAmI.as_view()(request)
    response.render()
    return response


def token_of(game: Game, key: str = "alice") -> str:
    given_player(game, key)
    return tokens.issue(game, key)[0]


def refusal(answer: HttpResponse) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.data["type"].removeprefix("/problems/")


def test_the_player_and_the_claims_are_the_request_s(game: Game) -> None:
    answer = call(token_of(game))
    assert answer.data["player"] == "alice"
    assert answer.data["jti"]
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("authorization", [None, "", "Bearer", "Bearer  ", "Basic abc", "Bearer a b"])
def test_without_a_token_there_is_no_answer(authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    answer = call(None, **headers)
    assert refusal(answer) == (401, "unauthorized")
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_in_the_address_counts_for_nothing(game: Game) -> None:
    token = token_of(game)
    for name in ("token", "access_token", "authorization"):
        assert refusal(call(None, path=f"/?{name}={token}")) == (401, "unauthorized")


def test_a_token_that_has_ended_is_a_401_that_says_so(game: Game) -> None:
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=2)):
        token = token_of(game)
    answer = call(token)
    assert refusal(answer) == (401, "unauthorized")
    assert "expired" in answer.data["detail"]
    assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_of_a_retired_key_is_a_401(game: Game) -> None:
    token = token_of(game)
    tokens.retire(TokenKey.objects.filter(game=game))
    assert refusal(call(token)) == (401, "unauthorized")


def test_an_api_key_is_no_player_s_token(game: Game) -> None:
    assert refusal(call(keys.issue(game, "server"))) == (401, "unauthorized")


@pytest.mark.parametrize("field", ["blocked", "erased"])
def test_a_blocked_or_erased_player_is_refused(game: Game, field: str) -> None:
    token = token_of(game, "bob")
    given_player(game, "bob", **{field: datetime.now(UTC)})
    assert refusal(call(token)) == (403, "player-refused")
    assert not WhoAmI.calls


def test_a_page_of_another_origin_is_refused_before_anything_is_done(game: Game) -> None:
    answer = call(token_of(game), Origin=MALLORYS)
    assert refusal(answer) == (403, "origin-refused")
    assert not WhoAmI.calls


def test_an_allowed_page_gets_its_answer_and_may_read_it(game: Game) -> None:
    answer = call(token_of(game), Origin=PAGE)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert answer.headers["Access-Control-Expose-Headers"] == "Retry-After"


def test_a_preflight_is_granted_without_a_token_and_does_nothing() -> None:
    answer = call(None, "OPTIONS", Origin=PAGE, **{"Access-Control-Request-Method": "PUT"})
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "PUT" in answer.headers["Access-Control-Allow-Methods"]
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


def test_credentials_are_never_allowed_and_answers_vary_by_origin(game: Game) -> None:
    for answer in (call(token_of(game), Origin=PAGE), call(None, "OPTIONS", Origin=PAGE), call(None)):
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "origin" in answer.headers["Vary"].lower()
    assert "Access-Control-Allow-Origin" not in call(token_of(game)).headers


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("[" * 60_000, (422, "invalid")),
        ("[" * 100_000, (413, "too-large")),
        ('{"a":"\\ud800"}', (422, "invalid")),
        ('{"a":"\\u0000"}', (422, "invalid")),
        ("{", (400, "unreadable")),
        (b"\xff", (400, "unreadable")),
    ],
    ids=lambda value: repr(value)[:16],
)
def test_a_hostile_body_is_a_problem(game: Game, body: Any, expected: tuple[int, str]) -> None:
    assert refusal(call(token_of(game), "POST", body=body)) == expected
