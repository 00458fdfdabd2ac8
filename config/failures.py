"""Pages for what failed; below ``/api/`` they are problems (RFC 9457), as all its errors are."""

import sys
from http import HTTPStatus

from django.db import Error
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.loader import render_to_string
from django.views import defaults

from events.errors import LogUnavailable
from events.faults import is_transient
from events.problems import of_error, problem

API = "/api/"
BACK_S = 2
"""A page that needs the database asks again after so long."""


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 400."""
    if request.path.startswith(API):
        return problem(HTTPStatus.BAD_REQUEST, "bad-request", "the request cannot be understood")
    return defaults.bad_request(request, exception)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 403."""
    if request.path.startswith(API):
        return problem(HTTPStatus.FORBIDDEN, "forbidden", "this is not allowed")
    return defaults.permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404."""
    if request.path.startswith(API):
        return problem(HTTPStatus.NOT_FOUND, "not-found", f"there is nothing at {request.path}")
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500; what happened is in the log, and in no answer. A fault that passes by itself is a 503."""
    error = sys.exc_info()[1]
    if isinstance(error, Error) and is_transient(error):
        return _unavailable(request, error)
    if request.path.startswith(API):
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal",
            "Clarion failed, and its log says why. Whether the request had an effect is unknown:"
            " send it again with the same ids",
        )
    return defaults.server_error(request)


def _unavailable(request: HttpRequest, error: Error) -> HttpResponseBase:
    if request.path.startswith(API):
        return of_error(LogUnavailable(type(error).__name__))
    page = render_to_string(
        "503.html", {"back_s": BACK_S}
    )  # no context of the request's: it may ask the database
    headers = {"Retry-After": str(BACK_S), "Cache-Control": "no-store"}
    return HttpResponse(page, status=HTTPStatus.SERVICE_UNAVAILABLE, headers=headers)
