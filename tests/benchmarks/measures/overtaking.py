"""Row 3: urgent events while very many bulk ones are worked off, beside urgent events alone."""

from typing import Any

from events.lanes import Lane
from tests.benchmarks.fleets import ClarionFleet
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Bound, Row, ratio_of_medians

BULK = 50_000
RATE = 20.0
URGENT = {"players": 100, "rate": RATE, "urgent": True}
WAITING = (
    "SELECT sum(p.bulk_head - c.position) FROM events_checkpoint c"
    " JOIN events_partition p ON p.id = c.partition_id"
)


def measure(rig: Rig) -> list[Row]:
    alone: list[dict[str, Any]] = []
    beside: list[dict[str, Any]] = []
    notes: list[str] = []
    seconds = rig.size(full=15, quick=6)
    for _ in range(rig.size(full=3, quick=1)):
        with ClarionFleet(rig.servers) as fleet:
            fleet.drive(events=100, **URGENT)
            alone.append(fleet.drive(events=int(RATE * seconds), **URGENT))
            fleet.post(events=BULK, batch=500, connections=2, bulk=True)
            waits = _waits(fleet)
            beside.append(fleet.drive(events=int(RATE * seconds), **URGENT))
            left = _waits(fleet)
            notes.append(f"{waits:,} bulk events waited when it began, {left:,} when it was over.")
            rig.say(
                f"urgent p99 alone {alone[-1]['p99_ms']} ms, beside bulk {beside[-1]['p99_ms']} ms; {notes[-1]}"
            )
    p99 = [[each["p99_ms"] for each in found] for found in (beside, alone)]
    return [
        Row(
            number=3,
            title="Urgent events at 20 a second while 50,000 bulk events are worked off, beside urgent ones alone",
            figures={
                "beside bulk, p50, ms": [each["p50_ms"] for each in beside],
                "alone, p50, ms": [each["p50_ms"] for each in alone],
                "beside bulk, p99, ms": p99[0],
                "alone, p99, ms": p99[1],
            },
            bounds=[Bound(what="p99 beside itself when idle", value=ratio_of_medians(*p99), at_most=3)],
            notes=notes,
        )
    ]


def _waits(fleet: ClarionFleet) -> int:
    """Return how many bulk events wait for the decisions hub."""
    return int(fleet.one(f"{WAITING} WHERE c.hub = 'decisions' AND c.lane = {Lane.BULK}"))
