"""The demo's game server: a client of the API like any other, over HTTP, with a key of its own."""

from typing import Any

import httpx

from config.demo.catalogue import PLAYERS, DemoPlayer

TIMEOUT_S = 5.0


class GameServer:
    """Posts CloudEvents to a Clarion."""

    def __init__(self, url: str, key: str) -> None:
        """Keep one connection."""
        self._http = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=TIMEOUT_S)

    def send(self, event: dict[str, Any]) -> None:
        """Post one event in structured mode.

        Raises:
            httpx.HTTPError: it was refused, or nobody answered.
        """
        answer = self._http.post(
            "/api/v1/events", json=event, headers={"Content-Type": "application/cloudevents+json"}
        )
        answer.raise_for_status()

    def introduce(self) -> None:
        """Report all players' profiles."""
        for player in PLAYERS:
            self._http.put(f"/api/v1/players/{player.key}", json=_profile(player)).raise_for_status()

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()


def _profile(player: DemoPlayer) -> dict[str, str]:
    return {"locale": player.locale, "timezone": player.timezone, "display_name": player.name}
