"""Pages for what failed; below ``/api/`` they are problems (RFC 9457), as all its errors are."""

from http import HTTPStatus

from django.http import HttpRequest, HttpResponseBase
from django.views import defaults

from events.problems import problem

API = "/api/"


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
    """Answer 500; what happened is in the log, and in no answer."""
    if request.path.startswith(API):
        return problem(
            HTTPStatus.INTERNAL_SERVER_ERROR,
            "internal",
            "Clarion failed, and its log says why. Whether the request had an effect is unknown:"
            " send it again with the same ids",
        )
    return defaults.server_error(request)
