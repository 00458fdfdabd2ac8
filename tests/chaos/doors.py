"""Whoever comes in while a dependency is away: each door is knocked at again and again, and timed."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx
import orjson
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.config.processes import finished

PATIENCE_S = 30.0
PAUSE_S = 0.1
PLAYER = "player-1"

STAFF = """
import django; django.setup()
from django.contrib.auth.models import User
from django.test import Client
client = Client()
client.force_login(User.objects.create_superuser("olive"))
print(client.cookies["sessionid"].value)
"""


def staff_session(environment: Mapping[str, str]) -> str:
    """Return the session cookie of somebody who operates."""
    done = finished("-c", STAFF, **environment)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass(frozen=True, kw_only=True)
class Knock:
    """One visit."""

    began: float  # on the monotonic clock
    seconds: float
    said: str  # the HTTP status; of a socket the first frame's type, or its close code


@dataclass
class Door:
    """One way in; ``knock`` returns what it said."""

    name: str
    knock: Callable[[], str]
    knocks: list[Knock] = field(default_factory=list)

    def visit(self) -> Knock:
        """Knock once; safe for threads."""
        began = time.monotonic()
        try:
            said = self.knock()
        except (httpx.HTTPError, OSError, ConnectionClosed) as error:
            said = str(getattr(getattr(error, "rcvd", None), "code", type(error).__name__))
        knock = Knock(began=began, seconds=time.monotonic() - began, said=said)
        self.knocks.append(knock)
        return knock


def doors(url: str, key: str, session: str) -> list[Door]:
    """Return the ways in: posting, the inbox, a socket, a page of the console."""
    clients = {
        name: httpx.Client(base_url=url, timeout=PATIENCE_S) for name in ("post", "inbox", "console")
    }  # a client costs more to make than a request; one for each door, so that none waits for another
    keyed = {"Authorization": f"Bearer {key}"}
    token = clients["inbox"].post(f"/api/v1/players/{PLAYER}/tokens", headers=keyed).json()["token"]
    clients["console"].cookies.set("sessionid", session)
    numbers = count()

    def ask(door: str, method: str, path: str, **options: Any) -> str:
        return str(clients[door].request(method, path, **options).status_code)

    def post() -> str:
        event = {
            "specversion": "1.0", "id": f"knock-{next(numbers)}", "source": "/doors", "type": "storm.normal",
            "data": {"player_id": PLAYER, "n": 1},
        }  # fmt: skip
        return ask("post", "POST", "/api/v1/events", json=event, headers=keyed)

    def open_socket() -> str:
        with connect(
            url.replace("http", "ws", 1) + "/ws/v1/player", subprotocols=["clarion.v1"],  # type: ignore[list-item]
            open_timeout=PATIENCE_S, close_timeout=1,
        ) as socket:  # fmt: skip
            device = f"thread-{threading.get_ident()}"  # the same device twice at once would end the first
            socket.send(orjson.dumps({"type": "connect", "token": token, "device": device}).decode())
            return str(orjson.loads(socket.recv(PATIENCE_S))["type"])

    tokened = {"Authorization": f"Bearer {token}"}
    return [
        Door("post", post),
        Door("inbox", lambda: ask("inbox", "GET", "/api/v1/inbox", headers=tokened)),
        Door("socket", open_socket),
        Door("console", lambda: ask("console", "GET", "/admin/")),
    ]


@contextmanager
def visited(those: list[Door]) -> Iterator[None]:
    """Knock at every door again and again, each on a thread of its own."""
    over = threading.Event()

    def again_and_again(door: Door) -> None:
        while not over.wait(PAUSE_S):
            door.visit()

    threads = [threading.Thread(target=again_and_again, args=(door,), daemon=True) for door in those]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE_S)
