"""The road as a game and a player have it: the REST API and the player's socket at the server's own address."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
from websockets.exceptions import ConnectionClosed, InvalidHandshake, WebSocketException
from websockets.sync.client import ClientConnection, connect

from config.doctor.clocks import judged
from config.doctor.finding import Finding, fail, ok
from config.doctor.reasons import reason
from config.doctor.road import game, stages
from config.doctor.road.stages import Stages
from config.loadtest.devices import SUBPROTOCOL, socket_url
from config.operator import operator
from config.watch.rules.machinery import outside
from events.models import Game

TIMEOUT_S = 5.0
DEVICE = "doctor"
EVENT = {"content-type": "application/cloudevents+json"}
SAME = "run it where the server's own DATABASE_URL and CLARION_TOKEN_KEY are set, or correct --url"


class Stopped(Exception):
    """The road ends here; the finding says why."""

    def __init__(self, finding: Finding) -> None:
        """Keep it."""
        super().__init__(finding.text)
        self.finding = finding


class Player:
    """The doctor's own player, on the real socket. Frames are stamped on a thread, as they come in."""

    def __init__(self, socket: ClientConnection, question: str) -> None:
        """Take a socket that is connected, and what to look out for."""
        self._socket, self._question = socket, question
        self.heard = threading.Event()
        self.at, self.seq = 0.0, 0
        self.pong: tuple[datetime, datetime] | None = None  # the server's time, and when it came in
        self.ponged = threading.Event()

    def listen(self) -> None:
        """Listen until the socket ends."""
        with suppress(ConnectionClosed):
            for text in self._socket:
                self._take(msgspec.json.decode(text), time.perf_counter())

    def _take(self, frame: dict[str, Any], at: float) -> None:
        if frame["type"] == "pong":
            self.pong = (datetime.fromisoformat(frame["now"]), datetime.now(UTC))
            self.ponged.set()
        elif frame["type"] == "changes" and self._is_ours(frame["items"]):
            self.at, self.seq = at, frame["to"]
            self.heard.set()

    def _is_ours(self, items: list[dict[str, Any]]) -> bool:
        return any(item.get("title") == self._question for item in items)


def ask(url: str) -> Iterator[Finding]:
    """Post an event of the doctor's and follow it to the device, stage by stage."""
    made, question = game.install(), f"q-{uuid.uuid4().hex}"
    try:
        with game.key(made) as secret:
            headers = {"Authorization": f"Bearer {secret}"}
            with httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S) as http:
                yield from _ask(http, url, made, question)
    except Stopped as stopped:
        yield stopped.finding
    except httpx.HTTPError as error:
        yield fail(f"the API at {url} cannot be reached: {reason(error)}", "start web, or correct --url")


def _ask(http: httpx.Client, url: str, made: Game, question: str) -> Iterator[Finding]:
    token = _checked(http.post(f"/api/v1/players/{game.PLAYER}/tokens"), "a player's token", url).json()[
        "token"
    ]
    with _connected(url) as socket:
        ready = _welcomed(socket, token)
        yield _epoch(ready, made)
        player = Player(socket, question)
        threading.Thread(target=player.listen, name="doctor-player", daemon=True).start()
        yield from _clock(socket, player, url)
        progress = Stages()
        place = _checked(
            http.post("/api/v1/events", json=_event(question), headers=EVENT), "an event", url
        ).json()
        progress.note("posted")
        if stages.decided(stages.event_pk(made.pk, place["partition"], place["offset"])):
            progress.note("decided")
            if player.heard.wait(stages.PUSHED_S):
                progress.note("pushed", player.at)
                _ack(socket, player, made, progress)
    yield from stages.told(progress, (stages.POSTED, stages.DECIDED, stages.PUSHED, stages.ACKED))


def _event(question: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": question,
        "source": "/doctor",
        "type": game.TYPE,
        "partitionkey": game.PLAYER,
        "data": game.event_data(question, operator()),
    }


def _checked(answer: httpx.Response, what: str, url: str) -> httpx.Response:
    """Return an answer that is a success.

    Raises:
        Stopped: it is none.
    """
    if answer.status_code in {httpx.codes.OK, httpx.codes.CREATED}:
        return answer
    told = f"the API at {url} refused {what} with {answer.status_code}"
    if answer.status_code == httpx.codes.UNAUTHORIZED:
        raise Stopped(fail(f"{told}: it does not know a key that was made just now in this database", SAME))
    advice = {
        400: "add its host to CLARION_ALLOWED_HOSTS, and let the proxy pass Host or X-Forwarded-Host on",
        301: "give --url the address that it redirects to, or let the proxy set X-Forwarded-Proto",
        302: "give --url the address that it redirects to, or let the proxy set X-Forwarded-Proto",
        404: "forward /api/ to the web processes, or correct --url",
        429: "docs/runbook.md, Back-pressure refusing",
        503: "docs/runbook.md, Database away",
    }.get(answer.status_code, "look at the web processes' logs at this moment")
    raise Stopped(fail(told, advice))


def _connected(url: str) -> ClientConnection:
    address = socket_url(url)
    try:
        return connect(
            address, subprotocols=[SUBPROTOCOL], compression=None, open_timeout=TIMEOUT_S, close_timeout=2
        )
    except (InvalidHandshake, OSError) as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        why = f"answered with {status}" if status else reason(error)
        raise Stopped(
            fail(
                f"the player's socket {address} cannot be opened: {why}",
                "let the proxy forward WebSockets (Upgrade and Connection headers) to the web processes",
            )
        ) from error


def _welcomed(socket: ClientConnection, token: str) -> dict[str, Any]:
    message = {"type": "connect", "token": token, "device": DEVICE}
    try:
        socket.send(msgspec.json.encode(message).decode())
        frame: dict[str, Any] = msgspec.json.decode(socket.recv(TIMEOUT_S))
    except ConnectionClosed as closed:
        code = closed.rcvd.code if closed.rcvd else 1006
        advice = {4001: f"give all processes the same CLARION_TOKEN_KEY; or {SAME}"}
        raise Stopped(
            fail(
                f"the player's socket was closed with {code} instead of a welcome",
                advice.get(code, "look at the web processes' logs at this moment"),
            )
        ) from closed
    except (TimeoutError, WebSocketException) as error:
        raise Stopped(
            fail(
                f"the player's socket was opened, and nothing came within {TIMEOUT_S:.0f} s: {type(error).__name__}",
                "let the proxy forward WebSockets unbuffered; look at the web processes' logs",
            )
        ) from error
    return frame


def _epoch(ready: dict[str, Any], made: Game) -> Finding:
    """Compare the numbering that this gateway speaks of with the database's."""
    now = Game.objects.get(pk=made.pk).epoch_name
    if ready.get("epoch") == now:
        return ok("the player's socket is open, and its gateway has the epoch of the database")
    return fail(
        "the gateway at the other end works with a stale epoch: it remembers an earlier history of the database",
        "restart the web processes; they should have noticed within 5 s (docs/backup.md)",
    )


def _clock(socket: ClientConnection, player: Player, url: str) -> Iterator[Finding]:
    """Ask the server for its time over the socket: that is exact, where HTTP's Date tells seconds only."""
    asked = datetime.now(UTC)
    socket.send('{"type":"ping"}')
    if player.ponged.wait(TIMEOUT_S) and player.pong:
        theirs, came = player.pong
        yield judged(f"the server at {url}", outside(theirs, asked, came))


def _ack(socket: ClientConnection, player: Player, made: Game, progress: Stages) -> None:
    socket.send(msgspec.json.encode({"type": "ack", "seq": player.seq}).decode())
    who = game.player_id(made)
    if who is not None and stages.acked(who, DEVICE, player.seq):
        progress.note("acked")
