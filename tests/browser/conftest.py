"""A real server, and the system's Chromium before it."""

import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.config.processes import MANAGE, START_S, Up, finished

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
PATIENCE_MS = 15_000


@pytest.fixture(scope="module")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the server keeps everything; commands beside it take it as ``CLARION_DATA``."""
    return tmp_path_factory.mktemp("clarion")


@pytest.fixture(scope="module")
def server(data_folder: Path) -> Iterator[Up]:
    """``manage.py up`` with the demo, one for each file of tests."""
    with Up(data_folder) as running:
        yield running


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium: nothing is downloaded."""
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    assert path, f"none of {', '.join(CHROMIUM)} is on this machine"
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield running
        running.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One person's browser: its tabs share nothing with other tests. An uncaught exception fails the test."""
    made = browser.new_context()
    made.set_default_timeout(PATIENCE_MS)
    uncaught: list[str] = []
    made.on("weberror", lambda each: uncaught.append(str(each.error)))
    yield made
    made.close()
    assert uncaught == []


@pytest.fixture
def page(context: BrowserContext) -> Page:
    """One tab of it."""
    return context.new_page()


@pytest.fixture(scope="module")
def api_key(server: Up, data_folder: Path) -> str:
    """A key of the game ``demo``, made by an operator while the server runs."""
    made = finished(MANAGE, "apikey", "demo", "--name", "browser-tests", CLARION_DATA=str(data_folder))
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


@pytest.fixture(scope="module")
def call(server: Up, api_key: str) -> Iterator[Callable[..., httpx.Response]]:
    """Call the server's API as a game server does: ``call("POST", "/api/v1/events", json=...)``."""
    with httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {api_key}"}) as client:

        def request(method: str, path: str, **options: Any) -> httpx.Response:
            answer = client.request(method, path, timeout=START_S, **options)
            answer.raise_for_status()
            return answer

        yield request


@pytest.fixture(scope="module")
def happen(call: Callable[..., httpx.Response]) -> Callable[..., str]:
    """Post one event as the game server does; return its id: ``happen("match.ready", player_id="p", map="m")``."""

    def post(type: str, **data: Any) -> str:
        event_id = uuid.uuid4().hex
        event = {"specversion": "1.0", "id": event_id, "source": "/tests/browser", "type": type, "data": data}
        call("POST", "/api/v1/events", json=event)
        return event_id

    return post
