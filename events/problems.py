"""Errors as RFC 9457 problems: one shape for everything that is refused over HTTP."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import orjson
from django.db import Error
from django.http import Http404, HttpResponse
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.response import Response
from rest_framework.views import set_rollback

from events.envelope.hazards import escaped
from events.errors import (
    EventsError,
    Forbidden,
    InvalidEvent,
    LogUnavailable,
    Overloaded,
    RateLimited,
    Unauthorized,
    UnknownGame,
)
from events.faults import is_transient

CONTENT_TYPE = "application/problem+json"
BASE = "/problems/"
"""Types are references below this path; the README explains each."""

_KINDS: Mapping[type[EventsError], tuple[HTTPStatus, str]] = {
    InvalidEvent: (HTTPStatus.UNPROCESSABLE_ENTITY, "invalid"),
    LogUnavailable: (HTTPStatus.SERVICE_UNAVAILABLE, "unavailable"),
    RateLimited: (HTTPStatus.TOO_MANY_REQUESTS, "rate-limit"),
    Overloaded: (HTTPStatus.TOO_MANY_REQUESTS, "overloaded"),
    Unauthorized: (HTTPStatus.UNAUTHORIZED, "unauthorized"),
    Forbidden: (HTTPStatus.FORBIDDEN, "forbidden"),
    UnknownGame: (HTTPStatus.NOT_FOUND, "not-found"),
}
"""Errors that do not say themselves how HTTP answers."""


def problem(  # a problem has these members
    status: int,
    slug: str,
    detail: str,
    *,
    errors: Sequence[tuple[str, str]] = (),
    headers: Mapping[str, str] | None = None,
    **members: Any,
) -> HttpResponse:
    """Return a problem response; ``errors`` are (JSON pointer, sentence)."""
    body = _body(status, slug, detail, errors, members)
    return HttpResponse(
        orjson.dumps(body), status=status, content_type=CONTENT_TYPE, headers=dict(headers or {})
    )


def of_error(error: EventsError) -> HttpResponse:
    """Return the problem for an error of the rooms' families."""
    status, slug, errors, headers = _told(error)
    return problem(status, slug, str(error), errors=errors, headers=headers)


def handler(error: Exception, _context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: everything that it knows becomes a problem."""
    if isinstance(error, Error) and is_transient(error):
        error = LogUnavailable(type(error).__name__)
    if isinstance(error, EventsError):
        status, slug, errors, headers = _told(error)
        body = _body(status, slug, str(error), errors, {})
    elif isinstance(error, Http404):
        status, headers = HTTPStatus.NOT_FOUND, {}
        body = _body(status, "not-found", str(error) or "there is no such thing", (), {})
    elif isinstance(error, ValidationError):
        status, headers = HTTPStatus.UNPROCESSABLE_ENTITY, {}
        body = _body(status, "invalid", "the request breaks a rule", list(_pointers(error.detail, "")), {})
    elif isinstance(error, APIException):
        status, headers = HTTPStatus(error.status_code), _headers(error)
        body = _body(status, str(error.default_code).replace("_", "-"), str(error.detail), (), {})
    else:
        return None
    set_rollback()
    return Response(body, status=status, headers=headers, content_type=CONTENT_TYPE)


def _told(error: EventsError) -> tuple[HTTPStatus, str, Sequence[tuple[str, str]], dict[str, str]]:
    """Return status, slug, (pointer, sentence) pairs and headers."""
    status, slug = next(
        (told for kind, told in _KINDS.items() if isinstance(error, kind)),
        (getattr(error, "status", HTTPStatus.BAD_REQUEST), getattr(error, "slug", "refused")),
    )
    headers = dict[str, str](getattr(error, "headers", {}))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    if (wait := getattr(error, "retry_after_s", None)) is not None:
        headers["Retry-After"] = str(wait)
    return status, slug, getattr(error, "errors", ()), headers


def _body(
    status: int, slug: str, detail: str, errors: Sequence[tuple[str, str]], members: Mapping[str, Any]
) -> dict[str, Any]:
    body = {
        "type": BASE + slug,
        "title": HTTPStatus(status).phrase,
        "status": int(status),
        "detail": detail,
        **members,
    }
    if errors:
        body["errors"] = [{"pointer": pointer, "detail": sentence} for pointer, sentence in errors]
    return body


def _headers(error: APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if (wait := getattr(error, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait) + 1)
    return headers


def _pointers(detail: Any, pointer: str) -> Any:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            here = pointer if name == "non_field_errors" else f"{pointer}/{escaped(str(name))}"
            yield from _pointers(inner, here)
    elif isinstance(detail, list) and any(isinstance(each, dict | list) for each in detail):
        for index, inner in enumerate(detail):
            yield from _pointers(inner, f"{pointer}/{index}")
    else:
        for sentence in detail if isinstance(detail, list) else [detail]:
            yield pointer, str(sentence)
