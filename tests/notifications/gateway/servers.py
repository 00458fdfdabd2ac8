"""Real servers with a game on them: in one process, or on services as the Procfile says."""

import itertools
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.config.deployment import Services
from tests.config.processes import MANAGE, Up, finished
from tests.notifications.gateway.devices import decoded
from tests.notifications.gateway.eventually import PATIENCE_S

_numbers = itertools.count(1)


class GameOnServer:
    """A game on a running server; its API is all that tests use of it."""

    def __init__(self, url: str, **environment: str) -> None:
        slug = f"game-{next(_numbers)}"
        self._url = url
        for command in (("creategame", slug), ("apikey", slug, "--name", "tests")):
            result = finished(MANAGE, *command, **environment)
            assert result.returncode == 0, result.stderr
        self._open = ExitStack()
        headers = {"Authorization": f"Bearer {result.stdout.strip()}"}
        client = httpx.Client(base_url=f"{url}/api/v1/", headers=headers, timeout=PATIENCE_S)
        self._http = self._open.enter_context(client)

    def token(self, player: str = "alice") -> str:
        """Return a token of a player."""
        answer = self._http.post(f"players/{player}/tokens")
        assert answer.status_code == 201, answer.text
        return str(answer.json()["token"])

    def tells(self, *players: str, title: str) -> None:
        """Notify players."""
        answer = self._http.post("notifications", json={"players": players or ["alice"], "title": title})
        assert answer.status_code == 202, answer.text

    def socket(self, **options: Any) -> "SocketOnServer":
        """Open a socket; nothing is said yet."""
        options.setdefault("subprotocols", [Subprotocol("clarion.v1")])
        url = self._url.replace("http://", "ws://")
        return SocketOnServer(self._open.enter_context(connect(f"{url}/ws/v1/player", **options)))

    def device(self, player: str = "alice", **message: Any) -> "SocketOnServer":
        """Return a device that is connected and ready."""
        socket = self.socket()
        socket.says("connect", token=self.token(player), **message)
        socket.ready = socket.hears("ready")
        return socket

    def close(self) -> None:
        """Close all that is open."""
        self._open.close()


class SocketOnServer:
    """A client's socket; what it hears is checked against the schema."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.ready: dict[str, Any] = {}

    def says(self, type: str, **message: Any) -> None:
        self.connection.send(json.dumps({"type": type, **message}))

    def frames(self) -> Iterator[dict[str, Any]]:
        """Return the frames as they come, until the server closes."""
        while True:
            yield decoded(str(self.connection.recv(PATIENCE_S)))

    def hears(self, type: str) -> dict[str, Any]:
        """Return the next frame of this type."""
        return next(frame for frame in self.frames() if frame["type"] == type)

    def breaks(self) -> None:
        """Cut the connection as a tunnel does, without a good-bye."""
        self.connection.socket.shutdown(2)
        self.connection.socket.close()


class OneProcess:
    """``manage.py up``."""

    def __init__(self, data: Path) -> None:
        self._up = Up(data, "--no-demo")
        self._environment = {"CLARION_DATA": str(data)}

    def game(self) -> GameOnServer:
        return GameOnServer(self._up.url, **self._environment)

    @property
    def port(self) -> int:
        return self._up.port

    def is_told_to_stop(self) -> None:
        self._up.process.send_signal(signal.SIGTERM)

    def stops(self) -> int:
        """Return the exit code of the web server."""
        return self._up.process.wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._up.__exit__()


class OnServices:
    """A deployment on PostgreSQL, Redis and RabbitMQ."""

    def __init__(self) -> None:
        self._deployment = Services("gateway")

    def game(self) -> GameOnServer:
        return GameOnServer(self._deployment.url, **self._deployment.environment)

    @property
    def port(self) -> int:
        return self._deployment.port

    def is_told_to_stop(self) -> None:
        self._deployment.processes["web"].send_signal(signal.SIGTERM)

    def stops(self) -> int:
        """Return the exit code of the web server."""
        return self._deployment.processes["web"].wait(PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._deployment.__exit__()
