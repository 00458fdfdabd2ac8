"""A request that takes as long as a test wants: half of its body comes, and the rest when it is asked for."""

import json
import socket
from http.client import HTTPResponse
from typing import Any, Self

PATIENCE_S = 60.0


def event(event_id: str, type: str = "hanging.began") -> dict[str, Any]:
    """Return a small event."""
    return {"specversion": "1.0", "id": event_id, "source": "/tests", "type": type, "data": {}}


class Upload:
    """A post of an event, under way."""

    def __init__(self, port: int, key: str, posted: dict[str, Any]) -> None:
        """Send the head and one byte."""
        body = json.dumps(posted).encode()
        self._rest = body[1:]
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._socket.sendall(
            b"POST /api/v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/cloudevents+json\r\n"
            b"Authorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s" % (key.encode(), len(body), body[:1])
        )

    def sends_the_rest(self) -> None:
        """Complete the request."""
        self._socket.sendall(self._rest)

    def answer(self) -> HTTPResponse:
        """Wait for the answer."""
        response = HTTPResponse(self._socket)
        response.begin()
        response.read()
        return response

    def ends(self) -> HTTPResponse:
        """Complete the request and return its answer."""
        self.sends_the_rest()
        return self.answer()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
