"""Row 14: what an event costs in each process, with one, two and four processes that decide."""

import statistics
from collections import defaultdict

from tests.benchmarks.fleets import ClarionFleet
from tests.benchmarks.processes import cpu_s
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Row

BATCH, PLAYERS = 200, 200
WORKERS = (1, 2, 4)
MICROSECONDS = 1e6


def measure(rig: Rig) -> list[Row]:
    events = rig.size(full=20_000, quick=4_000)
    figures: dict[str, list[float]] = defaultdict(list)
    for workers in WORKERS:
        for _ in range(rig.size(full=3, quick=1)):
            with ClarionFleet(rig.servers, CONCURRENCY=str(workers)) as fleet:
                fleet.drive(players=PLAYERS, events=2 * BATCH, batch=BATCH)
                before = _used(rig, fleet)
                told = fleet.drive(players=PLAYERS, events=events, batch=BATCH)
                after = _used(rig, fleet)
            for name, seconds in after.items():
                cost = (seconds - before[name]) / events * MICROSECONDS
                figures[f"{name}, {workers} deciding, us an event"].append(cost)
            figures[f"delivered, {workers} deciding, events/s"].append(told["delivered_per_s"])
        rig.say(
            f"{workers} deciding: {statistics.median(figures[f'delivered, {workers} deciding, events/s']):,.0f}/s"
        )
    return [
        Row(
            number=14,
            title="Processor time of an event in each process: posts of 200 to 200 sockets",
            figures=figures,
        )
    ]


def _used(rig: Rig, fleet: ClarionFleet) -> dict[str, float]:
    servers = {
        "PostgreSQL": rig.servers.postgres.pid,
        "Redis": rig.servers.redis.pid,
        "RabbitMQ": rig.servers.rabbit.pid,
    }
    mine = {name: process.pid for name, process in fleet.processes.items()}
    return {name: cpu_s([pid]) for name, pid in {**mine, **servers}.items()}
