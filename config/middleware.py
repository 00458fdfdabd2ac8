"""Calls that skip the middleware of pages: each of it would cost them a hop through a thread."""

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.urls import resolve

from events.problems import problem

API = "/api/v1/"
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by load balancers and Prometheus under the machine's own address, which is no allowed host."""
Next = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


class ApiFirst:
    """Calls coroutine views below /api/v1/ and the probes directly; everything else takes the usual way.

    Those views use neither sessions nor CSRF tokens nor messages.
    """

    async_capable = True
    sync_capable = False

    def __init__(self, get_response: Next) -> None:
        """Take the rest of the chain."""
        self.get_response = get_response
        markcoroutinefunction(self)

    async def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request."""
        if request.path in PROBES or request.path.startswith(API):
            view = _async_view(request)
            if view is not None:
                response: HttpResponseBase = await view(request)
                response["X-Content-Type-Options"] = "nosniff"
                return response
        return await self.get_response(request)


def _async_view(request: HttpRequest) -> Any:
    """Return the coroutine view of the hot path; DRF's views go the usual way, on a thread."""
    try:
        match = resolve(request.path_info)
    except Http404:
        return _nowhere
    return match.func if iscoroutinefunction(match.func) and not match.kwargs else None


async def _nowhere(request: HttpRequest) -> HttpResponseBase:
    return problem(404, "not-found", f"there is nothing at {request.path}")
