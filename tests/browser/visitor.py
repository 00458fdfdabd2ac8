"""Somebody who looks at the demo's page, and what happens to them in the game."""

import itertools
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.studio import GameServer

_numbers = itertools.count(1)


class Visitor:
    """One tab with the page: a device of its own."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.toasts = page.locator("#toasts .toast")
        self.matches = page.locator("#matches .match")
        self.items = page.locator("#items .item")
        self.pill = page.locator("#pill")
        self.badge = page.locator("#badge")
        self.switch = page.get_by_role("switch", name="Connection")

    def connected(self) -> None:
        expect(self.pill).to_have_attribute("data-state", "connected")

    def item(self, text: str) -> Locator:
        return self.items.filter(has_text=text)

    def toast(self, text: str) -> Locator:
        return self.toasts.filter(has_text=text)

    def press(self, type: str) -> None:
        self.page.locator(f'[data-type="{type}"]').click()

    def unread(self) -> int:
        return int(self.badge.get_attribute("data-unread") or 0)

    def unread_on_the_server(self) -> int:
        """Ask Clarion itself, as the page's player."""
        script = """async () => {
            const player = new URLSearchParams(location.search).get("player");
            const csrf = document.cookie.match(/csrftoken=([^;]+)/)[1];
            const asked = await fetch("/play/token", {
                method: "POST", headers: {"X-CSRFToken": csrf}, body: JSON.stringify({player}) });
            const headers = {Authorization: `Bearer ${(await asked.json()).token}`};
            return (await (await fetch("/api/v1/inbox?limit=1", {headers})).json()).unread;
        }"""
        return int(self.page.evaluate(script))

    def until(self, holds: Callable[[], bool]) -> None:
        """Wait for something that the page alone cannot tell."""
        for _ in range(60):
            if holds():
                return
            self.page.wait_for_timeout(100)
        raise AssertionError("it did not come to pass")


class Game:
    """What happens to the demo's players besides what its simulated server sends: each under a name of its own."""

    def __init__(self, server: GameServer) -> None:
        self._server = server

    def happens(self, type: str, data: dict[str, Any], **attributes: str) -> None:
        event = {"specversion": "1.0", "id": f"play-{next(_numbers)}", "source": "/tests/play", "type": type}
        self._server.call("POST", "/api/v1/events", json=event | {"data": data} | attributes)

    def invites(self, player: str) -> str:
        """Invite a player to a guild that no other test has; return its name."""
        guild = f"Guild No. {next(_numbers)}."
        self._server.invite(player, guild)
        return guild

    def matches(self, player: str, **attributes: str) -> str:
        """Announce a match on a map that no other test has; return its name."""
        place = f"Map No. {next(_numbers)}."
        self.happens("match.ready", {"player_id": player, "map": place, "players": 4}, **attributes)
        return place
