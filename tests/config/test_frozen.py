"""A database that is frozen: it keeps its connections, and answers nothing until it is let go."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.chaos.proxy import Proxy
from tests.config.deployment import Services
from tests.config.processes import MANAGE, finished
from tests.config.uploads import event

pytestmark = pytest.mark.services

ANSWER_S = 15.0
"""Some 4 s, and patience for a machine that has much else to do; the freeze lasts until all were answered."""
BACK_S = 60.0
DOORS = (
    ("GET", "/api/v1/players/alice", None),
    ("GET", "/api/v1/events?stream=a", None),
    ("GET", "/api/v1/inbox", None),
    ("PUT", "/api/v1/players/alice", {"locale": "de"}),
    ("POST", "/api/v1/players/bob/tokens", {}),
    ("POST", "/api/v1/notifications", {"id": "n1", "players": ["alice"], "title": "hello"}),
    ("POST", "/api/v1/events", event("frozen")),
)


@pytest.fixture
def postgres() -> Iterator[Proxy]:
    with Proxy([5432]) as proxy:
        yield proxy


@pytest.fixture
def servers(postgres: Proxy) -> Iterator[Services]:
    name = f"clarion_frozen_{os.getpid()}"
    url = f"postgres://postgres@127.0.0.1:{postgres.port}/{name}"
    with Services("frozen", DATABASE_URL=url) as servers:
        assert servers.name == name
        yield servers
        postgres.flow()


def test_while_it_is_frozen_every_request_is_answered_503_within_seconds_and_all_resumes(
    servers: Services, postgres: Proxy
) -> None:
    finished(MANAGE, "creategame", "frozen", **servers.environment)
    made = finished(MANAGE, "apikey", "frozen", "--name", "tests", **servers.environment)
    with httpx.Client(
        base_url=servers.url, headers={"Authorization": f"Bearer {made.stdout.strip()}"}, timeout=ANSWER_S
    ) as http:
        player = {"Authorization": f"Bearer {http.post('/api/v1/players/alice/tokens').json()['token']}"}
        assert http.get("/api/v1/inbox", headers=player).status_code == 200

        def ask(door: tuple[str, str, Any]) -> httpx.Response:
            method, path, body = door
            headers = player if path == "/api/v1/inbox" else None
            return http.request(method, path, json=body, headers=headers)

        postgres.stall()
        with ThreadPoolExecutor(len(DOORS)) as pool:
            answers = dict(zip([door[:2] for door in DOORS], pool.map(ask, DOORS), strict=True))
        assert {door: answer.status_code for door, answer in answers.items()} == dict.fromkeys(answers, 503)
        assert all(answer.headers["retry-after"] for answer in answers.values())
        assert http.get("/readyz").json()["status"] == "unavailable"
        postgres.flow()
        end = time.monotonic() + BACK_S
        while ask(DOORS[-1]).status_code not in {200, 201}:
            assert time.monotonic() < end
            time.sleep(0.1)
        assert ask(DOORS[0]).status_code == 200
