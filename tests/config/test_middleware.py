"""Coroutine views of the API and probes skip the pages' middleware; everything else takes the usual way."""

import pytest
from asgiref.sync import iscoroutinefunction
from django.http import HttpRequest, HttpResponse
from django.test import AsyncRequestFactory
from django.urls import ResolverMatch

from config import middleware
from config.middleware import ApiFirst


async def the_usual_way(_request: HttpRequest) -> HttpResponse:
    """Stand for all other middleware and the view behind it."""
    return HttpResponse("the usual way")


async def answered(path: str, **headers: str) -> HttpResponse:
    """Send a request through the middleware."""
    response = await ApiFirst(the_usual_way)(AsyncRequestFactory().get(path, headers=headers))
    assert isinstance(response, HttpResponse)
    return response


@pytest.mark.parametrize("path", ["/healthz"])
async def test_probes_are_answered_under_any_host_and_without_a_session(path: str) -> None:
    answer = await answered(path, host="10.0.0.7")
    assert answer.content == b'{"status": "ok"}'
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/", "/admin/", "/play/", "/api/docs/", "/healthz/", "/static/x.js"])
async def test_pages_take_the_usual_way(path: str) -> None:
    assert (await answered(path)).content == b"the usual way"


@pytest.mark.parametrize("path", ["/api/v1/inbox", "/api/v1/players/alice"])
async def test_views_that_need_a_thread_take_the_usual_way(path: str) -> None:
    assert (await answered(path)).content == b"the usual way"


async def test_the_ingestion_view_is_called_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def view(request: HttpRequest) -> HttpResponse:
        return HttpResponse(f"at once: {request.path}")

    monkeypatch.setattr(middleware, "resolve", lambda _path: ResolverMatch(view, (), {}))
    answer = await answered("/api/v1/events")
    assert answer.content == b"at once: /api/v1/events"
    assert answer["X-Content-Type-Options"] == "nosniff"


async def test_an_address_that_is_not_there_is_a_problem() -> None:
    answer = await answered("/api/v1/nothing")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
    assert b"there is nothing at /api/v1/nothing" in answer.content


def test_the_chain_knows_that_it_is_a_coroutine() -> None:
    assert iscoroutinefunction(ApiFirst(the_usual_way))
