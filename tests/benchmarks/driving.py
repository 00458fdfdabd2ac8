"""The load: a process of its own, the same for Clarion and for the baseline.

``python -m tests.benchmarks.driving clarion|baseline '{"url": ..., "events": ...}'`` prints the
figures of ``manage.py loadtest`` as one line of JSON.
"""

import asyncio
import json
import sys
from dataclasses import asdict
from typing import Any

import httpx
from websockets.asyncio.client import connect

from config.loadtest.devices import OnNew
from config.loadtest.drive import CLARION, Target, drive
from config.loadtest.plan import Plan


class BaselineSocket:
    """A player of the baseline's: takes what comes."""

    def __init__(self, url: str, player: str, on_new: OnNew) -> None:
        self._url = f"{url.replace('http', 'ws', 1)}/ws/{player}/"
        self._player, self._on_new = player, on_new
        self.ready = asyncio.Event()

    async def run(self) -> None:
        async with connect(self._url, compression=None, max_size=None) as socket:
            self.ready.set()
            async for text in socket:
                self._on_new(self._player, json.loads(text))


async def _sockets(_http: httpx.AsyncClient, plan: Plan, on_new: OnNew) -> list[BaselineSocket]:
    return [BaselineSocket(plan.url, plan.player(n), on_new) for n in range(plan.players)]


def _versions(_answer: httpx.Response, numbers: range) -> dict[int, int]:
    return dict.fromkeys(numbers, 0)  # it keeps no order, so none is asked of it


TARGETS = {"clarion": CLARION, "baseline": Target(sockets=_sockets, versions=_versions)}


def main() -> None:
    target, plan = sys.argv[1:]
    result: dict[str, Any] = asdict(asyncio.run(drive(Plan(**json.loads(plan)), TARGETS[target])))
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main()
