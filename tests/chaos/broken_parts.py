"""Deployments that run with the suite's broken parts, and what those have done."""

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.chaos.broken.projections import NAME, SEEN
from tests.chaos.fleet import Deployment
from tests.chaos.load import append
from tests.chaos.scene import SEED, Scene
from tests.chaos.servers import Servers
from tests.storm.plan import GUILDS

PARKED_S = 150.0
"""So long it may take until what hangs is parked: five tries, each ended by a time-out."""
SHOWN = 10


class Switch:
    """Breaks parts, one file each, and counts what they tell."""

    def __init__(self, folder: Path) -> None:
        """Break nothing yet."""
        self._folder = folder
        folder.mkdir(mode=0o777)

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Break a part for some time."""
        (self._folder / name).touch()
        yield
        (self._folder / name).unlink()

    def faults(self) -> dict[str, int]:
        """Return how often each kind of fault was made."""
        found = self._folder / "faults"
        return dict(Counter(found.read_text().split())) if found.exists() else {}


@contextmanager
def broken_deployment(servers: Servers, folder: Path, *parts: str) -> Iterator[tuple[Deployment, Switch]]:
    """Start Clarion with breakable parts; ``parts`` are broken from the beginning."""
    switch = Switch(folder / "faults")
    for each in parts:
        (folder / "faults" / each).touch()
    variables = {
        "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
        "CHAOS_FAULTS": str(folder / "faults"),
        "CHAOS_SEED": str(SEED),
    }
    with Deployment(servers, **variables) as deployment:
        yield deployment, switch


class Poison:
    """Poisoned events in random streams at random moments, and what became of them."""

    hub = NAME

    def __init__(self, deployment: Deployment, *, raises: int, kills: int, hangs: int) -> None:
        """Make the table in which the projection writes."""
        self._deployment = deployment
        self._kinds = ["raise"] * raises + ["kill"] * kills + ["hang"] * hangs
        deployment.sql(SEEN)

    def strike(self, scene: Scene) -> None:
        """Post them, and start again what they end, until all of them are parked."""
        scene.rng.shuffle(self._kinds)
        streams = scene.rng.sample(range(GUILDS), len(self._kinds))
        with httpx.Client(base_url=self._deployment.url, timeout=12) as http:
            for n, (kind, guild) in enumerate(zip(self._kinds, streams, strict=True)):
                event = {
                    "specversion": "1.0", "id": f"poison-{kind}-{n}", "source": "/storm",
                    "type": "loot.dropped", "partitionkey": f"guild/{guild}", "data": {"n": n},
                }  # fmt: skip
                append(http, scene.load, [event])
        ended, end = 0, time.monotonic() + PARKED_S
        while (parked := self._parked()) < len(self._kinds):
            assert time.monotonic() < end, f"{parked} of {len(self._kinds)} are parked after {PARKED_S} s"
            ended += self._deployment.restart_ended()
            time.sleep(0.1)
        scene.figures |= {"poison": dict(Counter(self._kinds)), "main processes ended": ended}
        self._deployment.restart_ended()

    def wrong(self) -> list[str]:
        """Return what is wrong: exactly the poisoned events are parked, exactly what waits behind them was not seen."""
        behind = self._deployment.sql(
            "SELECT e.id FROM events_event e WHERE EXISTS (SELECT 1 FROM events_deadletter d WHERE d.hub = %s"
            " AND d.stream = e.stream AND d.lane = e.lane AND d.partition_id = e.partition_id"
            " AND d.version <= e.version)",
            NAME,
        )
        seen = Counter(row[0] for row in self._deployment.sql("SELECT event_id FROM chaos_seen"))
        wanted = {row[0] for row in self._deployment.sql("SELECT id FROM events_event")} - {
            row[0] for row in behind
        }
        letters = {
            row[0]
            for row in self._deployment.sql(
                "SELECT e.event_id FROM events_deadletter d JOIN events_event e ON e.partition_id = d.partition_id"
                ' AND e."offset" = d.event_offset WHERE d.hub = %s',
                NAME,
            )
        }
        found = [f"seen {n} times: {each}" for each, n in seen.items() if n > 1]
        found += [f"not seen: {each}" for each in wanted - seen.keys()]
        found += [f"seen, though it waits: {each}" for each in seen.keys() - wanted]
        found += [f"parked: {each}" for each in sorted(letters) if not each.startswith("poison-")]
        found += [f"{len(letters)} dead letters"] if len(letters) != len(self._kinds) else []
        return found[:SHOWN]

    def _parked(self) -> int:
        return self._deployment.sql("SELECT count(*) FROM events_deadletter WHERE hub = %s", NAME)[0][0]
