"""Everything that is refused over HTTP is one shape: RFC 9457."""

import json
from typing import Any

import pytest
from django.db import DataError, OperationalError
from django.http import Http404
from rest_framework import exceptions

from events.errors import (
    EventsError,
    Forbidden,
    IdempotencyRefused,
    IdempotencyReused,
    IdempotencyRunning,
    InvalidEvent,
    LogUnavailable,
    RateLimited,
    Unauthorized,
    UnknownGame,
)
from events.problems import CONTENT_TYPE, handler, of_error, problem

ERRORS: list[tuple[EventsError, int, str, dict[str, str]]] = [
    (InvalidEvent([("/id", "is required")]), 422, "invalid", {}),
    (LogUnavailable("55P03", 3), 503, "unavailable", {"Retry-After": "3"}),
    (Unauthorized("no"), 401, "unauthorized", {"WWW-Authenticate": "Bearer"}),
    (Forbidden("no"), 403, "forbidden", {}),
    (
        RateLimited(5, 7, {"RateLimit-Limit": "5"}),
        429,
        "rate-limit",
        {"Retry-After": "7", "RateLimit-Limit": "5"},
    ),
    (UnknownGame("x"), 404, "not-found", {}),
    (IdempotencyRefused("no"), 400, "idempotency-key", {}),
    (IdempotencyReused(), 422, "idempotency-key-reused", {}),
    (IdempotencyRunning(), 409, "idempotency-key-running", {}),
]


def test_a_problem_has_its_members_and_no_more() -> None:
    answer = problem(
        409, "expected-version", "wrong", errors=[("/a", "b")], headers={"X": "y"}, expected=1, actual=2
    )
    assert (answer.status_code, answer.headers["Content-Type"], answer.headers["X"]) == (
        409,
        CONTENT_TYPE,
        "y",
    )
    assert json.loads(answer.content) == {
        "type": "/problems/expected-version",
        "title": "Conflict",
        "status": 409,
        "detail": "wrong",
        "expected": 1,
        "actual": 2,
        "errors": [{"pointer": "/a", "detail": "b"}],
    }
    assert "errors" not in json.loads(problem(404, "not-found", "gone").content)


@pytest.mark.parametrize(
    ("error", "status", "slug", "headers"), ERRORS, ids=lambda value: type(value).__name__
)
def test_an_error_of_ours_is_told_the_same_by_both_doors(
    error: EventsError, status: int, slug: str, headers: dict[str, str]
) -> None:
    plain = of_error(error)
    assert plain.status_code == status
    assert plain.headers["Content-Type"] == CONTENT_TYPE
    told = json.loads(plain.content)
    assert (told["type"], told["status"], told["detail"]) == (f"/problems/{slug}", status, str(error))
    framework = handler(error, {})
    assert framework is not None
    assert (framework.status_code, framework.data) == (status, told)
    for name, value in headers.items():
        assert plain.headers[name] == framework.headers[name] == value
    for name in ("Retry-After", "WWW-Authenticate"):
        assert (name in plain.headers) is (name in headers)


@pytest.mark.parametrize(
    ("error", "status", "slug"),
    [
        (exceptions.MethodNotAllowed("PUT"), 405, "method-not-allowed"),
        (exceptions.NotAcceptable(), 406, "not-acceptable"),
        (exceptions.UnsupportedMediaType("text/xml"), 415, "unsupported-media-type"),
        (exceptions.ParseError("bad"), 400, "parse-error"),
        (exceptions.Throttled(wait=2.5), 429, "throttled"),
        (Http404("nothing there"), 404, "not-found"),
        (OperationalError("connection refused: host=db"), 503, "unavailable"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_django_and_its_rest_framework_raise_is_told_too(
    error: Exception, status: int, slug: str
) -> None:
    answer = handler(error, {})
    assert answer is not None
    assert (answer.status_code, answer.content_type) == (status, CONTENT_TYPE)
    assert (answer.data["type"], answer.data["status"]) == (f"/problems/{slug}", status)
    assert "host=db" not in answer.data["detail"]


def test_who_is_throttled_is_told_when_to_come_back() -> None:
    answer = handler(exceptions.Throttled(wait=2.5), {})
    assert answer is not None
    assert answer.headers["Retry-After"] == "4"


@pytest.mark.parametrize("error", [ValueError("x"), DataError("x"), KeyError("x")], ids=repr)
def test_a_mistake_of_ours_is_left_to_the_server_error(error: Exception) -> None:
    assert handler(error, {}) is None


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"limit": ["too large"]}, [("/limit", "too large")]),
        ({"non_field_errors": ["either or"]}, [("", "either or")]),
        ({"players": {0: ["empty"], 3: ["long"]}}, [("/players/0", "empty"), ("/players/3", "long")]),
        ({"items": [{}, {"a": ["b"]}]}, [("/items/1/a", "b")]),
        ({"a/b": {"c~d": ["odd"]}}, [("/a~1b/c~0d", "odd")]),
        (["nothing fits"], [("", "nothing fits")]),
    ],
    ids=repr,
)
def test_a_form_s_complaints_become_pointers(detail: Any, expected: list[tuple[str, str]]) -> None:
    answer = handler(exceptions.ValidationError(detail), {})
    assert answer is not None
    assert answer.status_code == 422
    assert [(error["pointer"], error["detail"]) for error in answer.data["errors"]] == expected
