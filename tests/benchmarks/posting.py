"""Posts events as fast as they are answered: a process of its own, whose bodies are made before the clock runs.

``python -m tests.benchmarks.posting '{"url": ..., "key": ..., "events": ..., "batch": ..., "connections": ...}'``
"""

import asyncio
import json
import secrets
import sys
import time
from collections.abc import Iterator
from typing import Any

import httpx

PLAYERS = 1_000


def main() -> None:
    sys.stdout.write(json.dumps(asyncio.run(_post_all(**json.loads(sys.argv[1])))))


async def _post_all(
    *, url: str, key: str, events: int, batch: int, connections: int, bulk: bool = False
) -> dict[str, float]:
    bodies = list(_bodies(events, batch, bulk=bulk))
    waiting = iter(bodies)
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": f"application/cloudevents{'-batch' if batch > 1 else ''}+json",
    }
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    async with httpx.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=60) as http:

        async def work() -> None:
            for body in waiting:
                answer = await http.post("/api/v1/events", content=body)
                assert answer.is_success, answer.text[:500]

        began = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(connections)))
        return {"events_per_s": events / (time.perf_counter() - began)}


def _bodies(events: int, batch: int, *, bulk: bool) -> Iterator[bytes]:
    run = secrets.token_hex(4)
    for start in range(0, events, batch):
        made = [_event(run, n, bulk=bulk) for n in range(start, min(start + batch, events))]
        yield json.dumps(made if batch > 1 else made[0]).encode()


def _event(run: str, n: int, *, bulk: bool) -> dict[str, Any]:
    """Return an event that no rule is about, or a bulk one that tells one player something."""
    player = f"{'bulk' if bulk else 'load'}-{n % PLAYERS}"
    data = (
        {"player_ids": [player], "minutes": 15}
        if bulk
        else {"player_id": player, "guild": f"guild {run} {n}"}
    )
    return {
        "specversion": "1.0", "id": f"{run}-{n}", "source": "/bench", "partitionkey": player, "data": data,
        "type": "maintenance.scheduled" if bulk else "session.ended",
    }  # fmt: skip


if __name__ == "__main__":
    main()
