"""Row 12: frames out of one gateway that has a full backlog, beside a bare app that sends the same from a list."""

import asyncio
import json
import os
import signal
import tempfile
import time

import httpx
import redis

from tests.benchmarks.fleets import GAME, ClarionFleet
from tests.benchmarks.rawsockets import RawSocket, connected, until
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Bound, Row, ratio_of_medians
from tests.config.processes import free_port

SERVER = (
    "python -m config.serving --bind 127.0.0.1 --port {port} --websocket_timeout -1 --no-server-name --verbosity 0"
    " tests.benchmarks.bare:application"
)
"""As the Procfile's ``web`` has it."""
EACH = 60
"""Notifications for each player: fewer than may be sent without an ack."""


def measure(rig: Rig) -> list[Row]:
    players = rig.size(full=1_000, quick=500)
    pushed: list[float] = []
    bare: list[float] = []
    with redis.Redis(port=rig.servers.redis.port) as client:
        client.config_set("client-output-buffer-limit", "pubsub 0 0 0")  # the backlog is what is measured
    for _ in range(rig.size(full=5, quick=2)):
        with ClarionFleet(rig.servers, kinds=("web",)) as fleet:
            seconds, frames = asyncio.run(_push(fleet, players))
            count = sum(len(each) for each in frames)
            pushed.append(count / seconds)
            bare.append(count / _bare_seconds(fleet, frames))
        rig.say(f"{count:,} frames: {pushed[-1]:,.0f}/s, bare {bare[-1]:,.0f}/s")
    return [
        Row(
            number=12,
            title="Frames a second out of one gateway with a full backlog, beside a bare ASGI app",
            figures={"gateway, frames/s": pushed, "bare app, frames/s": bare},
            bounds=[Bound(what="of the bare app", value=ratio_of_medians(pushed, bare), at_least=0.6)],
            notes=[
                f"{players} sockets, {EACH} notifications each. The gateway is stopped (SIGSTOP) while a hub decides,"
                " so that Redis holds the backlog; its look once a second and what it repairs from the database are in."
                " The bare app sends the very frames that the gateway sent."
            ],
        )
    ]


async def _push(fleet: ClarionFleet, players: int) -> tuple[float, list[list[str]]]:
    """Return how long the backlog took, and each player's frames."""
    headers = {"Authorization": f"Bearer {fleet.key}"}
    async with httpx.AsyncClient(base_url=fleet.url, headers=headers) as http:
        tokens = [
            (await http.post(f"/api/v1/players/load-{n}/tokens")).json()["token"] for n in range(players)
        ]
    sockets = await connected(fleet.url, "/ws/v1/player", players, "clarion.v1")
    for n, (socket, token) in enumerate(zip(sockets, tokens, strict=True)):
        socket.say(json.dumps({"type": "connect", "token": token, "device": f"bench-{n}"}))
    await until(sockets, players)  # each has its ready
    assert all(b'"type":"ready"' in socket.frames[0] for socket in sockets)
    web = fleet.processes["web"].pid
    plan = json.dumps({"game": GAME, "events": players * EACH, "players": players})
    os.kill(web, signal.SIGSTOP)
    await asyncio.to_thread(fleet.finish, "-m", "tests.benchmarks.inside.flooding", plan)
    for socket in sockets:
        socket.frames.clear()
    began = time.perf_counter()
    os.kill(web, signal.SIGCONT)
    await _all_there(sockets)
    return max(socket.last for socket in sockets) - began, [_texts(socket) for socket in sockets]


async def _all_there(sockets: list[RawSocket]) -> None:
    """Wait until each player's last change has come."""
    async with asyncio.timeout(120):
        for socket in sockets:
            while not any(f'"to":{EACH},'.encode() in frame for frame in socket.frames[-2:]):  # noqa: ASYNC110 - as in until
                await asyncio.sleep(0.005)


def _texts(socket: RawSocket) -> list[str]:
    return [frame.decode() for frame in socket.frames if b'"type":"changes"' in frame[:60]]


def _bare_seconds(fleet: ClarionFleet, frames: list[list[str]]) -> float:
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(frames, file)
        file.flush()
        port = free_port()
        fleet.launch("bare", SERVER.format(port=port), BARE_FRAMES=file.name)
        fleet.wait_until_ready_at(f"http://127.0.0.1:{port}")
        pid = fleet.processes["bare"].pid
        try:
            return asyncio.run(_bare(f"http://127.0.0.1:{port}", pid, frames))
        finally:
            os.killpg(pid, signal.SIGKILL)


async def _bare(url: str, pid: int, frames: list[list[str]]) -> float:
    sockets = await connected(url, "/", len(frames))
    os.kill(pid, signal.SIGSTOP)
    for n, socket in enumerate(sockets):
        socket.say(str(n))
    await asyncio.sleep(0.2)  # the kernel has them all
    began = time.perf_counter()
    os.kill(pid, signal.SIGCONT)
    return await until(sockets, sum(len(each) for each in frames)) - began
