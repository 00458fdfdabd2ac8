"""When an event got how far, and what it means when it did not get there."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from config.doctor.finding import Finding, fail, ok, warn
from events.models import Partition
from events.models.log import OFFSET_BITS
from notifications.models import Decision
from players.models import Device

DECIDED_S, PUSHED_S, ACKED_S = 10.0, 10.0, 5.0
"""So long each stage is waited for after the one before it. Without broker and workers a lane takes 0.2 s."""
SLOW_MS = 1_000.0
LOOK_S = 0.002


@dataclass(kw_only=True)
class Stages:
    """Milliseconds since the post began; a stage that was not reached is missing."""

    began: float = field(default_factory=time.perf_counter)
    reached: dict[str, float] = field(default_factory=dict)

    def note(self, stage: str, at: float | None = None) -> None:
        """Note that a stage is reached, now or at a time of ``time.perf_counter``."""
        self.reached[stage] = round(((time.perf_counter() if at is None else at) - self.began) * 1000, 1)
        if (
            stage == "pushed"
        ):  # strictly after the commit of what was decided; we look for that now and then only
            self.reached["decided"] = min(self.reached["decided"], self.reached[stage])


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What is said of one stage."""

    name: str
    done: str
    slow: str  # what to do when it took more than a second longer than the stage before it
    lost: str  # what did not happen
    mend: str  # what to do then


POSTED = Stage(
    name="posted", done="the event is in the log", slow="look at the database's round trip and at its disk (fsync)",
    lost="the event was not taken", mend="see what database.reachable says",
)  # fmt: skip
DECIDED = Stage(
    name="decided", done="the rule has decided about it",
    slow="wake-ups do not arrive, so the lane was drained by age: see workers.urgent and broker.round_trip",
    lost="no hub has processed the event",
    mend="start a worker-urgent of the Procfile (embedded: manage.py up); docs/runbook.md, Hub stalled",
)  # fmt: skip
PUSHED = Stage(
    name="pushed", done="the notification is on the player's socket",
    slow="hints do not arrive, so a gateway found it by looking once a second: see redis.pubsub and redis.gateways",
    lost="the notification did not arrive on the player's socket",
    mend="look at the gateways' logs; let the proxy forward WebSockets unbuffered; docs/runbook.md, Urgent"
    " notifications not arriving",
)  # fmt: skip
HINTED = Stage(
    name="pushed", done="its hint has reached the gateways' channel", slow=PUSHED.slow,
    lost="no hint was published for it", mend="see that workers have the same REDIS_URL and CLARION_PREFIX as this",
)  # fmt: skip
ACKED = Stage(
    name="acked", done="the device's ack is stored", slow="look at the gateways' logs, and at the database's load",
    lost="the device's ack was not stored", mend="look at the gateways' logs: they cannot write to the database",
)  # fmt: skip


def told(stages: Stages, expected: tuple[Stage, ...]) -> Iterator[Finding]:
    """Say of each stage how it went, up to the first that was not reached."""
    before = 0.0
    for stage in expected:
        at = stages.reached.get(stage.name)
        if at is None:
            yield fail(stage.lost, stage.mend)
            return
        values = {f"{stage.name}_ms": at}
        line = f"{stage.name:<8} after {at:>7.1f} ms: {stage.done}"
        yield warn(line, stage.slow, **values) if at - before > SLOW_MS else ok(line, **values)
        before = max(before, at)


def event_pk(game_id: int, partition: int, offset: int) -> int:
    """Return the row's id of an event by its place."""
    row = Partition.objects.values_list("id", flat=True).get(game_id=game_id, number=partition)
    return (row << OFFSET_BITS) + offset


def decided(event: int) -> bool:
    """Wait until a rule has decided about an event."""
    return _wait(DECIDED_S, lambda: Decision.objects.filter(event_id=event).exists())


def acked(player: int, device: str, seq: int) -> bool:
    """Wait until the database says that a device has stored its player's changes up to there."""
    rows = Device.objects.filter(player_id=player, name=device, acked__gte=seq)
    return _wait(ACKED_S, rows.exists)


def _wait(seconds: float, done: Callable[[], bool]) -> bool:
    end = time.monotonic() + seconds
    while not (there := done()) and time.monotonic() < end:
        time.sleep(LOOK_S)
    return there
