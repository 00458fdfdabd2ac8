"""What fails below /api/ is a problem (RFC 9457), elsewhere a page; neither says what happened inside."""

import json
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse
from django.test import AsyncClient
from django.urls import path
from pytest_django import Settings

SECRET = "Alice's secret"
FAULTS = {
    "400": SuspiciousOperation(SECRET),
    "403": PermissionDenied(SECRET),
    "404": Http404(SECRET),
    "500": ValueError(SECRET),
}
SAID = {
    "400": ("bad-request", "Bad Request"),
    "403": ("forbidden", "Forbidden"),
    "404": ("not-found", "Not Found"),
    "500": ("internal", "Internal Server Error"),
}


def failing(_request: HttpRequest, status: str) -> HttpResponse:
    """Fail, on a thread."""
    raise FAULTS[status]


async def failing_at_once(_request: HttpRequest) -> HttpResponse:
    """Fail, as a coroutine view of the hot path."""
    raise FAULTS["500"]


urlpatterns = [
    path("api/fail/<status>", failing),
    path("api/v1/fail", failing_at_once),
    path("fail/<status>", failing),
]
handler400 = "config.failures.bad_request"
handler403 = "config.failures.forbidden"
handler404 = "config.failures.not_found"
handler500 = "config.failures.server_error"


@pytest.fixture(autouse=True)
def _addresses(settings: Settings) -> None:
    """Serve this file's views."""
    settings.ROOT_URLCONF = __name__
    settings.ALLOWED_HOSTS = ["testserver"]


async def answer(address: str, **headers: str) -> Any:
    """Ask as a client does, who sees no exception."""
    return await AsyncClient(raise_request_exception=False).get(address, headers=headers)


def a_problem(response: Any, status: str) -> dict[str, Any]:
    """Check that a response is the problem of its status, and return it."""
    slug, title = SAID[status]
    assert response.status_code == int(status)
    assert response["Content-Type"] == "application/problem+json"
    body: dict[str, Any] = json.loads(response.content)
    assert (body["type"], body["title"], body["status"]) == (f"/problems/{slug}", title, int(status))
    assert SECRET not in response.content.decode()
    return body


@pytest.mark.parametrize("status", sorted(FAULTS))
async def test_below_api_every_failure_is_a_problem_that_keeps_the_secret(status: str) -> None:
    a_problem(await answer(f"/api/fail/{status}"), status)


@pytest.mark.parametrize("status", sorted(FAULTS))
async def test_elsewhere_it_is_a_page_that_keeps_the_secret_too(status: str) -> None:
    response = await answer(f"/fail/{status}")
    assert response.status_code == int(status)
    assert response["Content-Type"].startswith("text/html")
    assert SECRET not in response.content.decode()


async def test_a_failure_of_the_hot_path_says_that_its_effect_is_unknown() -> None:
    body = a_problem(await answer("/api/v1/fail"), "500")
    assert "send it again with the same ids" in body["detail"]


@pytest.mark.parametrize("address", ["/api/nothing", "/api/v1/nothing"])
async def test_what_is_not_there_is_named(address: str) -> None:
    assert a_problem(await answer(address), "404")["detail"] == f"there is nothing at {address}"


async def test_a_name_that_is_not_served_is_a_problem_below_api() -> None:
    a_problem(await answer("/api/fail/404", host="mallory.example"), "400")
