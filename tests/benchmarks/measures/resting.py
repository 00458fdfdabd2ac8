"""Rows 10 and 11: what sockets weigh, and what everything costs while nothing happens."""

import asyncio
import json
import time

from tests.benchmarks.fleets import GAME, ClarionFleet
from tests.benchmarks.processes import cpu_s, memory_bytes
from tests.benchmarks.rawsockets import RawSocket, connected, until
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Bound, Row

KIB = 1024
SETTLED_S = 5.0
"""What a start brings with it is over by then."""


def measure(rig: Rig) -> list[Row]:
    light, heavy = rig.size(full=5_000, quick=500), rig.size(full=10_000, quick=1_000)
    seconds = rig.size(full=30, quick=10)
    with ClarionFleet(rig.servers) as fleet:
        told = asyncio.run(_rest(fleet, light, heavy, seconds))
    rig.say(
        f"{told['KiB a socket']:.1f} KiB a socket; {told['look %']:.2f} % looking, {told['rest %']:.2f} % resting"
    )
    return [
        Row(
            number=10,
            title=f"Memory of a gateway for each of {light:,} idle sockets",
            figures={"KiB a socket": [told["KiB a socket"]]},
            bounds=[Bound(what="KiB a socket", value=told["KiB a socket"], at_most=64)],
        ),
        Row(
            number=11,
            title=f"Processor time while nothing happens; the gateway with {heavy:,} players",
            figures={
                "gateway with nobody, % of a core": [told["gateway alone %"]],
                "gateway with its players, % of a core": [told["gateway %"]],
                "workers and beat, % of a core": [told["rest %"]],
            },
            bounds=[
                Bound(what="the look at its players, % of a core", value=told["look %"], at_most=3),
                Bound(what="workers, sweeps and beat, % of a core", value=told["rest %"], at_most=1),
            ],
        ),
    ]


async def _rest(fleet: ClarionFleet, light: int, heavy: int, seconds: int) -> dict[str, float]:
    plan = json.dumps({"game": GAME, "players": heavy})
    tokens = (await asyncio.to_thread(fleet.finish, "-m", "tests.benchmarks.inside.tokens", plan)).split()
    web = fleet.processes["web"].pid
    others = [process.pid for name, process in fleet.processes.items() if name != "web"]
    await asyncio.sleep(SETTLED_S)
    alone, rest = await _used([web], seconds), await _used(others, seconds)
    warm = await _connect(fleet, tokens[:100])  # what the first sockets bring with them is no socket's own
    before = memory_bytes(web)
    sockets = await _connect(fleet, tokens[100 : light + 100])
    grown = memory_bytes(web) - before
    sockets += warm + await _connect(fleet, tokens[light + 100 :])
    await asyncio.sleep(SETTLED_S)
    gateway = await _used([web], seconds)
    for socket in sockets:
        socket.close()
    return {
        "KiB a socket": grown / light / KIB,
        "gateway alone %": alone,
        "gateway %": gateway,
        "look %": gateway - alone,
        "rest %": rest,
    }


async def _connect(fleet: ClarionFleet, tokens: list[str]) -> list[RawSocket]:
    sockets: list[RawSocket] = []
    for start in range(0, len(tokens), 100):  # each says who it is within 5 s
        some = tokens[start : start + 100]
        made = await connected(fleet.url, "/ws/v1/player", len(some), "clarion.v1")
        for n, (socket, token) in enumerate(zip(made, some, strict=True)):
            socket.say(json.dumps({"type": "connect", "token": token, "device": f"idle-{start + n}"}))
        await until(made, len(made))
        sockets += made
    return sockets


async def _used(sessions: list[int], seconds: int) -> float:
    """Return how many per cent of a core these processes use."""
    began, used = time.monotonic(), cpu_s(sessions)
    await asyncio.sleep(seconds)
    return 100 * (cpu_s(sessions) - used) / (time.monotonic() - began)
