"""Rows 4, 5 and 6: into the log, in this process and over HTTP, beside a bare COPY."""

import json

from tests.benchmarks.fleets import GAME, ClarionFleet
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Bound, Row, ratio_of_medians

BATCH = 500


def measure(rig: Rig) -> list[Row]:
    plan = {
        "game": GAME,
        "rounds": rig.size(full=5, quick=3),
        "events": rig.size(full=20_000, quick=10_000),
        "singles": rig.size(full=16_000, quick=0),
    }
    with ClarionFleet(rig.servers, kinds=()) as nobody:
        told = json.loads(nobody.finish("-m", "tests.benchmarks.inside.appending", json.dumps(plan)))
    with ClarionFleet(rig.servers, kinds=("web",)) as web:
        posted = [
            web.post(events=plan["events"], batch=BATCH, connections=4)["events_per_s"]
            for _ in range(plan["rounds"] + 1)
        ][1:]
        singles = [
            web.post(events=plan["singles"] // 4, batch=1, connections=64)["events_per_s"]
            for _ in range(plan["rounds"] if plan["singles"] else 0)
        ]
    rig.say(
        f"append {max(told['append']):,.0f}/s, COPY {max(told['copy']):,.0f}/s, HTTP {max(posted):,.0f}/s"
    )
    rows = [
        Row(
            number=4,
            title="log.append in batches of 500, beside a bare COPY of the same rows",
            figures={"append, events/s": told["append"], "COPY, rows/s": told["copy"]},
            bounds=[_of("of the COPY", told["append"], told["copy"], 0.45)],
        ),
        Row(
            number=5,
            title="POST /api/v1/events in batches of 500, one web process, beside the same COPY",
            figures={"HTTP, events/s": posted, "COPY, rows/s": told["copy"]},
            bounds=[_of("of the COPY", posted, told["copy"], 0.3)],
        ),
    ]
    if plan["singles"]:
        rows.append(
            Row(
                number=6,
                title="Single events by 64 threads, beside one thread",
                figures={
                    "64 threads, events/s": told["threads"],
                    "one thread, events/s": told["one thread"],
                    "64 connections over HTTP, events/s": singles,
                },
                bounds=[_of("of one thread", told["threads"], told["one thread"], 4)],
            )
        )
    return rows


def _of(what: str, ours: list[float], beside: list[float], at_least: float) -> Bound:
    return Bound(what=what, value=ratio_of_medians(ours, beside), at_least=at_least)
