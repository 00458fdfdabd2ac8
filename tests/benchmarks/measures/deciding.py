"""Row 7: events decided by one worker, beside the same rows read and written with nothing decided."""

import json

from tests.benchmarks.fleets import GAME, ClarionFleet
from tests.benchmarks.rig import Rig
from tests.benchmarks.rows import Bound, Row, ratio_of_medians


def measure(rig: Rig) -> list[Row]:
    plan = {"game": GAME, "rounds": rig.size(full=5, quick=2), "events": rig.size(full=10_000, quick=4_000)}
    with ClarionFleet(rig.servers, kinds=()) as nobody:
        told = json.loads(nobody.finish("-m", "tests.benchmarks.inside.deciding", json.dumps(plan)))
    rig.say(f"decided {max(told['decided']):,.0f}/s, only copied {max(told['copied']):,.0f}/s")
    ratio = ratio_of_medians(told["decided"], told["copied"])
    return [
        Row(
            number=7,
            title="Decided by one worker, all effects written, beside COPY and UPDATE of the same rows",
            figures={"decided, events/s": told["decided"], "copied, events/s": told["copied"]},
            bounds=[Bound(what="of what is only copied", value=ratio, at_least=0.35)],
        )
    ]
