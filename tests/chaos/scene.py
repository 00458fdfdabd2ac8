"""One scenario from beginning to end: calm, load, a fault, recovery, calm again, and the proof."""

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

from tests.chaos.load import Load, client
from tests.chaos.watching import EACH, Probes, WatchedDevice, crowd, probed
from tests.storm.plan import CONNECTED, player
from tests.storm.test_storm import (
    CALM_S,
    READY_S,
    Storm,
    all_have_seen_all,
    devices_agree_on_a_mark,
    hubs_are_done,
    lasting_proof,
    stage,
    token,
    until,
    within,
)

SEED = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
RECOVERY_S = 10.0
"""After the fault's end latency is normal again within so long."""
FAULT_S = 420.0
PARKED = re.compile(r"^clarion_dead_letters 0(\.0)?$", re.MULTILINE)
LANES = ("urgent", "normal", "bulk")


@dataclass(frozen=True, kw_only=True)
class Form:
    """How much of everything."""

    name: str
    events: int
    a_second: float
    before_s: float  # so long things are measured before anything breaks

    def of(self, short: Any, long: Any) -> Any:
        """Return whichever is this form's."""
        return short if self.name == "short" else long


SHORT = Form(name="short", events=600, a_second=60, before_s=3)
LONG = Form(name="long", events=20_000, a_second=float(os.environ.get("CHAOS_RATE", "300")), before_s=5)


@dataclass
class Scene:
    """What a fault may use. Its function runs on a thread: devices and probes go on."""

    form: Form
    rng: random.Random
    devices: list[WatchedDevice]
    probes: Probes
    load: Load
    figures: dict[str, Any] = field(default_factory=dict)
    began: float = 0.0
    ended: float | None = None
    """When the fault ended, if that was before its function did."""
    spans: dict[str, tuple[float, float]] = field(default_factory=dict)

    @contextmanager
    def outage(self, name: str) -> Iterator[None]:
        """Measure the pushes of a part of the fault by themselves."""
        began = monotonic()
        yield
        self.spans[name] = (began, monotonic())


Fault = Callable[[Scene], None]


@dataclass(kw_only=True)
class Told:
    """What a scenario came to."""

    scenario: str
    form: str
    seed: int
    wrong: list[str]
    recovered_s: float
    normal_ms: float
    figures: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Where:
    """What a fault happens to."""

    url: str
    environment: Mapping[str, str]
    form: Form
    seed: int
    folder: Path
    poisoned: str = ""
    """A hub that parks streams on purpose."""
    hurry: float = 1.0
    """Clients wait so many times shorter than ``bye`` asks them to."""


def play(name: str, fault: Fault, where: Where) -> Told:
    """Let a fault happen under load and return what it came to; raises where a bound was not kept."""
    return asyncio.run(_play(name, fault, where, stage(**where.environment)))


async def _play(name: str, fault: Fault, where: Where, key: str) -> Told:
    url, form, seed = where.url, where.form, where.seed
    began = monotonic()
    who = [player(n) for n in CONNECTED]
    watched = [probed(lane, n) for lane in LANES for n in range(EACH[lane])]
    async with client(url, key) as http:
        tokens = {each: await token(http, key, each) for each in (*who, *watched)}
        sockets = url.replace("http", "ws", 1) + "/ws/v1/player"
        people = crowd(sockets, tokens)
        watchers = {
            each: WatchedDevice(sockets, each, each, tokens[each], reads=False, seed=seed) for each in watched
        }
        everybody = [*people, *watchers.values()]
        for device in everybody:
            device.hurry = where.hurry
        load = Load(http, key, seed=seed, events=form.events, a_second=form.a_second)
        probes = Probes(http, load.answers, watchers)
        scene = Scene(form, random.Random(seed), everybody, probes, load)
        living = asyncio.gather(*(device.run() for device in everybody))
        try:
            await within(READY_S, living, until(lambda: all(each.ready.is_set() for each in everybody)))
            recovered, normal = await _break(scene, fault, living)
            await within(CALM_S, living, hubs_are_done(http))
            if not where.poisoned:
                await within(CALM_S, living, nothing_is_parked(http))
            await within(CALM_S, living, all_have_seen_all(http, tokens, everybody))
            await within(CALM_S, living, devices_agree_on_a_mark(people))
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
    wrong = await asyncio.to_thread(
        lasting_proof,
        Storm(answers=load.answers, devices=everybody, poisoned=where.poisoned),
        where.folder,
        **where.environment,
    )
    figures = {**_figures(scene), **scene.figures, "seconds": round(monotonic() - began, 1)}
    return Told(
        scenario=name, form=form.name, seed=seed, wrong=wrong, recovered_s=round(recovered, 2),
        normal_ms=round(normal * 1_000), figures=figures,
    )  # fmt: skip


async def _break(scene: Scene, fault: Fault, living: "asyncio.Future[Any]") -> tuple[float, float]:
    """Load, fault, recovery; return how long that took, and what is normal."""
    probing = asyncio.create_task(scene.probes.run())
    loading = asyncio.create_task(scene.load.run())
    alive = asyncio.create_task(_either(living, probing))
    try:
        await within(READY_S, alive, asyncio.sleep(scene.form.before_s))
        scene.began = monotonic()
        normal = scene.probes.normal_s(scene.began)
        await within(FAULT_S, alive, asyncio.to_thread(fault, scene))
        scene.ended = scene.ended or monotonic()
        recovered = await within(2 * RECOVERY_S + 10, alive, _recovery(scene, normal))
        scene.load.fault_is_over()
        await within(FAULT_S, alive, _finish(loading))
    finally:
        for task in (alive, probing, loading):
            task.cancel()
        await asyncio.gather(alive, probing, loading, return_exceptions=True)
    await within(READY_S, living, scene.probes.finish())
    return recovered, normal


async def _either(*those: "asyncio.Future[Any]") -> None:
    """End, with its fault, when one of those ends that should not."""
    ended, _ = await asyncio.wait(those, return_when=asyncio.FIRST_COMPLETED)
    for each in ended:
        each.result()


async def _finish(task: "asyncio.Task[None]") -> None:
    await task


async def _recovery(scene: Scene, normal_s: float) -> float:
    """Wait until things are normal; what comes too late is told by its figure."""
    assert scene.ended is not None
    while (found := scene.probes.recovered_s(scene.ended, normal_s)) is None:
        await asyncio.sleep(0.1)
        late = monotonic() - scene.ended
        assert late < 2 * RECOVERY_S + 5, f"not normal {late:.0f} s after the fault: {_figures(scene)}"
    return found


async def nothing_is_parked(http: Any) -> None:
    """Wait until what was parked because its processes had been killed is drained."""
    while True:
        if PARKED.search((await http.get("/metrics")).text):
            return
        await asyncio.sleep(0.3)


def _figures(scene: Scene) -> dict[str, Any]:
    """Return the numbers of a scenario."""
    closings: Counter[int] = sum((device.closings for device in scene.devices), Counter())
    now = monotonic()
    answers = scene.load.answers
    return {
        "events": len(answers.places),
        "unknown": answers.unknown,
        "dropped": answers.dropped,
        "repeats": answers.duplicates,
        "shown": sum(len(device.shown) for device in scene.devices),
        "closings": dict(closings),
        "fault_s": round((scene.ended or now) - scene.began, 1),
        "before": latencies(scene.probes, 0, scene.began),
        "fault": latencies(scene.probes, scene.began, scene.ended or now),
        **{name: latencies(scene.probes, *span) for name, span in scene.spans.items()},
    }


def latencies(probes: Probes, since: float, until: float) -> dict[str, list[int]]:
    """Return median, 99th percentile and longest of each lane, in milliseconds."""
    found = {}
    for lane in LANES:
        if ordered := sorted(probes.latencies(lane, since, until)):
            at = (len(ordered) // 2, min(len(ordered) - 1, int(0.99 * len(ordered))), -1)
            found[lane] = [round(1_000 * ordered[n]) for n in at]
    return found
