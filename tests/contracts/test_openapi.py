"""The OpenAPI document says what the API does: it is valid, leaves nothing out, and every answer keeps to it."""

from http import HTTPStatus
from typing import Any

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.validation import validate_schema
from hypothesis import HealthCheck, Phase, settings
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from players import tokens
from tests.events.api.server import GameServer
from tests.given import given_game
from tests.notifications.given import given_inbox

DOCUMENT: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
schema = schemathesis.openapi.from_dict(DOCUMENT)  # at import: the fixture loader breaks on pytest 9.2
schema.app = get_wsgi_application()
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NOT_YET = "/problems/not-yet"
"""The one refusal that is no outage: a profile has not reached the place that was asked for."""
OPERATIONS = [
    (path, method, operation)
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if method != "parameters"
]


def addresses(resolver: URLResolver, before: str = "") -> set[str]:
    """Return the addresses of an URL configuration."""
    found: set[str] = set()
    for each in resolver.url_patterns:
        here = before + str(each.pattern)
        found |= addresses(each, here) if isinstance(each, URLResolver) else {here}
        assert isinstance(each, URLResolver | URLPattern)
    return found


@pytest.fixture
def authorizations() -> dict[str, str]:
    """An API key and a player's token, by the name of the scheme in the document; their game has a life."""
    game = given_game()
    given_inbox(game, 2)
    token, _ = tokens.issue(game, "alice")
    return {"apiKey": GameServer(game).bearer, "playerToken": f"Bearer {token}"}


def test_it_is_served_as_openapi_3_1() -> None:
    answer = Client().get("/api/schema/")
    assert answer.json()["openapi"] == "3.1.0"
    assert answer.json()["paths"].keys() == DOCUMENT["paths"].keys()
    assert Client().get("/api/docs/").status_code == HTTPStatus.OK


def test_it_is_valid() -> None:
    validate_schema(DOCUMENT)


def test_every_address_of_the_api_is_in_it() -> None:
    ours = {address for address in addresses(get_resolver()) if address.startswith("api/v1/")}
    documented = {path.removeprefix("/") for path in DOCUMENT["paths"]}
    assert {address.replace("<player:player>", "{player}") for address in ours} == documented


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS, ids=lambda value: str(value)[:40])
def test_every_operation_says_what_it_does_who_may_and_how_it_refuses(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert operation["description"], path
    assert operation["security"] in ([{"apiKey": []}], [{"playerToken": []}])
    refusals = {"401", "403", "503"}
    if operation["security"] == [{"apiKey": []}]:
        refusals.add("429")
    if method in {"put", "post"} and "requestBody" in operation:
        refusals |= {"400", "413", "415", "422"}
    assert refusals <= operation["responses"].keys()
    for code, response in operation["responses"].items():
        media = "application/json" if code < "400" else "application/problem+json"
        assert list(response["content"]) == [media], code


@pytest.mark.django_db(transaction=True)
@schema.parametrize()
@settings(
    max_examples=8,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_keeps_to_it(
    case: Any, authorizations: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("players.api.views.AT_LEAST_S", 0.01)
    (scheme,) = case.operation.definition.raw["security"][0]
    answer = case.call_and_validate(headers={"Authorization": authorizations[scheme]}, checks=CHECKS)
    assert answer.status_code < HTTPStatus.INTERNAL_SERVER_ERROR or answer.json()["type"] == NOT_YET
