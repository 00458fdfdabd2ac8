"""The demo's game server: a client of the API like any other, over HTTP, with a key of its own."""

from typing import Any

import httpx

TIMEOUT_S = 5.0


class GameServer:
    """Posts CloudEvents to a Clarion."""

    def __init__(self, url: str, key: str, transport: httpx.BaseTransport | None = None) -> None:
        """Keep one connection; proxies of the environment are not for a server's call to itself."""
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {key}"},
            timeout=TIMEOUT_S,
            transport=transport,
            trust_env=False,
        )

    def send(self, event: dict[str, Any]) -> dict[str, Any]:
        """Post one event in structured mode; return its place in the log, as the API tells it.

        Raises:
            httpx.HTTPError: it was refused, or nobody answered.
        """
        answer = self._http.post(
            "/api/v1/events", json=event, headers={"Content-Type": "application/cloudevents+json"}
        )
        place: dict[str, Any] = answer.raise_for_status().json()
        return place

    def close(self) -> None:
        """Give the connection back."""
        self._http.close()
