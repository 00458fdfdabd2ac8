"""What a game studio has beside Clarion: its game's server, and a web server with its players' page."""

import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from playwright.sync_api import BrowserContext, Page

from tests.config.processes import MANAGE, START_S, finished

PAGE = (Path(__file__).parent / "client.html").read_bytes()


class GameServer:
    """Sends events and asks for players' tokens, over HTTP with a key."""

    def __init__(self, url: str, data_folder: Path) -> None:
        """Have an operator make the key, by a command while Clarion runs."""
        self.url, self._data_folder = url, data_folder
        key = self._manage("apikey", "demo", "--name", "browser-tests").strip()
        self._headers = {"Authorization": f"Bearer {key}"}

    def call(self, method: str, path: str, **options: Any) -> httpx.Response:
        answer = httpx.request(method, self.url + path, headers=self._headers, timeout=START_S, **options)
        answer.raise_for_status()
        return answer

    def invite(self, player: str, *guilds: str) -> None:
        """Let guilds invite a player, one after the other: a notification each, which names the guild."""
        events = [
            {
                "specversion": "1.0",
                "id": uuid.uuid4().hex,
                "source": "/tests/browser",
                "type": "guild.invite.received",
                "partitionkey": player,
                "data": {"player_id": player, "guild": guild, "from": "Mirela"},
            }
            for guild in guilds
        ]
        self.call("POST", "/api/v1/events", json=events)

    def token_of(self, player: str) -> str:
        return str(self.call("POST", f"/api/v1/players/{player}/tokens").json()["token"])

    def allow(self, *origins: str) -> None:
        """Allow pages of these origins, as staff do."""
        words = f"from events.models import Game; Game.objects.update(allowed_origins={list(origins)})"
        self._manage("shell", "-c", words)

    def _manage(self, *command: str) -> str:
        done = finished(MANAGE, *command, CLARION_DATA=str(self._data_folder))
        assert done.returncode == 0, done.stderr
        return done.stdout


class Website:
    """The studio's own web server: the page (client.html), and tokens for those who have logged in."""

    def __init__(self, game_server: GameServer) -> None:
        self.game_server = game_server
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                body, kind = PAGE, "text/html"
                if address.path == "/my/token":
                    [player] = parse_qs(address.query)["player"]
                    body, kind = site.token(player), "application/json"
                self.send_response(200)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing: pytest's output is for the tests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def token(self, player: str) -> bytes:
        return json.dumps({"token": self.game_server.token_of(player)}).encode()

    def open(self, context: BrowserContext, player: str, clarion: str = "", **more: Any) -> "Tab":
        """Open the page in a tab of its own."""
        page = context.new_page()
        query = urlencode({"player": player, "clarion": clarion or self.game_server.url, **more})
        page.goto(f"{self.origin}/?{query}")
        return Tab(page)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Tab:
    """A browser's tab with a player's page, and what its client has told."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def shown(self) -> list[str]:
        """The guilds whose invitations were shown, in order."""
        return [each["title"].removesuffix(" wants you") for each in self.told("notification")]

    @property
    def states(self) -> list[str]:
        return [each["state"] for each in self.told("state")]

    @property
    def device(self) -> str:
        [text] = self.page.evaluate("Object.values(sessionStorage)")
        return str(json.loads(text)["device"])

    def told(self, name: str) -> list[Any]:
        return list(self.page.evaluate("name => told[name]", name))

    def until(self, condition: str, **options: Any) -> None:
        self.page.wait_for_function(condition, **options)

    def until_answered(self, call: str) -> None:
        """Make a call again and again until what it comes to is true; ``until`` would not await it."""
        tries = "for (let n = 0; n < 150; n += 1)"
        pause = "await new Promise((resolve) => setTimeout(resolve, 100))"
        assert self.page.evaluate(
            f"async () => {{ {tries} {{ if (await clarion.{call}) return true; {pause}; }} return false; }}"
        )

    def until_connected(self) -> None:
        self.until("window.clarion?.state === 'connected'")

    def until_shown(self, count: int, **options: Any) -> None:
        self.until(f"window.told?.notification.length >= {count}", **options)

    def call(self, expression: str) -> Any:
        """Return what one of the client's calls resolves with."""
        return self.page.evaluate(f"clarion.{expression}")
