"""Rows 1, 2 and 13: from a post to players' sockets, beside the baseline; embedded beside services."""

import statistics
from collections import defaultdict
from typing import Any

from tests.benchmarks.fleets import BaselineFleet, ClarionFleet, Driven, EmbeddedFleet
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Bound, Row, ratio_of_medians

BATCH, PLAYERS = 200, 200
RATE = 50.0
WARM = 400
"""Events that fill caches and pools first, and count for nothing."""


def measure(rig: Rig) -> list[Row]:
    rounds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for _ in range(rig.size(full=3, quick=1)):
        for name, fleet in _fleets(rig).items():
            with fleet as running:
                found = _flood_and_drip(rig, running, name)
            rounds[name].append(found)
            rig.say(
                f"{name}: {found['flood']['delivered_per_s']:.0f}/s, p50 {found['drip']['p50_ms']:.1f} ms"
            )
    return _rows(rounds)


def _fleets(rig: Rig) -> dict[str, Any]:
    fleets = {
        "baseline": BaselineFleet(rig.servers),
        "bulk baseline": BaselineFleet(rig.servers, "bulk"),
        "Clarion": ClarionFleet(rig.servers),
    }
    return fleets if rig.quick else {**fleets, "Clarion embedded": EmbeddedFleet()}


def _flood_and_drip(rig: Rig, running: Driven, name: str) -> dict[str, Any]:
    events = rig.size(full=20_000, quick=1_000 if name == "baseline" else 10_000)
    running.drive(players=PLAYERS, events=WARM, batch=BATCH)
    return {
        "drip": running.drive(players=PLAYERS, events=int(RATE * rig.size(full=30, quick=10)), rate=RATE),
        "flood": running.drive(players=PLAYERS, events=events, batch=BATCH),
    }


def _rows(rounds: dict[str, list[dict[str, Any]]]) -> list[Row]:
    def told(what: str, figure: str) -> dict[str, list[float]]:
        return {name: [each[what][figure] for each in found] for name, found in rounds.items()}

    flood = told("flood", "delivered_per_s")
    drip = {figure: told("drip", f"{figure}_ms") for figure in ("mean", "p50", "p99")}
    rows = [
        Row(
            number=1,
            title="Delivered per second: posts of 200 events to 200 sockets",
            figures={f"{name}, events/s": values for name, values in flood.items()},
            bounds=[
                _over("beside the baseline", flood, "baseline", at_least=20),
                _over("beside its bulk variant", flood, "bulk baseline", at_least=4),
            ],
        ),
        Row(
            number=2,
            title="From post to socket: single events at 50 a second",
            figures={
                f"{name}, {figure}, ms": values for figure, by in drip.items() for name, values in by.items()
            },
            bounds=[
                Bound(what="mean, ms", value=statistics.median(drip["mean"]["Clarion"]), at_most=20),
                _over("p50 beside the baseline", drip["p50"], "baseline", at_most=0.7),
                _over("p99 beside the baseline", drip["p99"], "baseline", at_most=0.25),
            ],
        ),
    ]
    if "Clarion embedded" in rounds:
        rows.append(
            Row(
                number=13,
                title="Embedded on SQLite, beside services",
                figures={
                    "embedded, events/s": flood["Clarion embedded"],
                    "embedded, p50, ms": drip["p50"]["Clarion embedded"],
                },
                bounds=[
                    _over("throughput", flood, "Clarion", ours="Clarion embedded", at_least=0.5),
                    _over("p50", drip["p50"], "Clarion", ours="Clarion embedded", at_most=2),
                ],
            )
        )
    return rows


def _over(
    what: str, figures: dict[str, list[float]], beside: str, *, ours: str = "Clarion", **limit: float
) -> Bound:
    return Bound(what=what, value=ratio_of_medians(figures[ours], figures[beside]), **limit)
