"""A game's server: posts and reads events with an API key, as the protocol has it."""

import itertools
import json
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.test import Client

from events import keys
from events.models import Game
from tests.events.envelope.requests import STRUCTURED

EVENTS = "/api/v1/events"
PROBLEM = "application/problem+json"
_numbers = itertools.count(1)


class GameServer:
    """Answers are never exceptions."""

    def __init__(self, game: Game, scopes: Iterable[str] = keys.SCOPES) -> None:
        self.game = game
        self.bearer = f"Bearer {keys.issue(game, f'server-{next(_numbers)}', scopes)}"
        self.client = Client(raise_request_exception=False)

    def post(self, body: Any, content_type: str = STRUCTURED, **headers: str) -> HttpResponse:
        """Post a body: bytes, text, or what is still to be encoded; ``headers`` with _ for -."""
        if not isinstance(body, bytes | str):
            body = json.dumps(body)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if content_type:  # Django's client sends none with an empty body
            sent["Content-Type"] = content_type
        return self.client.generic(
            "POST", EVENTS, body, content_type=content_type, headers={"Authorization": self.bearer, **sent}
        )

    def get(self, **query: Any) -> HttpResponse:
        """Read a page of the log."""
        return self.client.get(EVENTS, query, headers={"Authorization": self.bearer})

    def call(self, method: str, path: str = EVENTS, body: str = "") -> HttpResponse:
        """Send any other call."""
        return self.client.generic(method, path, body, headers={"Authorization": self.bearer})

    def pages(self, **query: Any) -> list[dict[str, Any]]:
        """Return all items, page by page."""
        items: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            page = self.get(**query, **after).json()
            items += page["items"]
            if page["next"] is None:
                return items
            after = {"after": page["next"]}


def is_problem(answer: HttpResponse, status: int, slug: str) -> bool:
    """Assert that an answer is this problem (RFC 9457)."""
    assert answer.headers["Content-Type"] == PROBLEM, answer.content
    told = answer.json()
    assert {"type", "title", "status", "detail"} <= set(told)
    assert (answer.status_code, told["status"], told["type"]) == (status, status, f"/problems/{slug}")
    return True


def pointers(told: dict[str, Any]) -> list[str]:
    """Return where a problem or a batch's item says that something is wrong."""
    assert all(error["detail"] for error in told["errors"])
    return [error["pointer"] for error in told["errors"]]
