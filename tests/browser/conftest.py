"""A real server, and the system's Chromium before it."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from tests.browser.studio import GameServer, Website
from tests.browser.visitor import Game, Visitor
from tests.config.processes import Up

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


@pytest.fixture(scope="module")
def game_server(server: Up, data_folder: Path) -> GameServer:
    """A server of the game ``demo``, with a key of its own."""
    return GameServer(server.url, data_folder)


@pytest.fixture(scope="module")
def website(game_server: GameServer) -> Iterator[Website]:
    """The game's web site, whose pages Clarion allows."""
    with Website(game_server) as site:
        game_server.allow(site.origin)
        yield site


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


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the console complains of on the demo's pages; violations of their policy are among it."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def visit(context: BrowserContext, server: Up, complaints: list[str]) -> Callable[..., Visitor]:
    """Open the demo's page as a player: ``visit("alice")``; each one is a device of its own."""

    def note(message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            complaints.append(message.text)

    def open_(player: str, *, url: str = "", clock: bool = False, quiet: bool = True) -> Visitor:
        page = context.new_page()
        if quiet:
            page.on("console", note)
        if clock:
            page.clock.install()
        page.goto(f"{url or server.url}/play/?player={player}")
        visitor = Visitor(page)
        visitor.connected()
        return visitor

    return open_


@pytest.fixture
def game(game_server: GameServer) -> Game:
    """The demo's game, in which things happen besides what its simulated server sends."""
    return Game(game_server)
