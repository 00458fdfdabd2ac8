"""How long a step may keep live waiting: what it holds is measured, and the next one made smaller where it was long.

Urgent events wait for their checkpoint while a step of a rebuild holds it. How many rows fit
into the time depends on the machine and on what else it does, so each process learns it, for
each replay: it halves at most, and grows slowly.
"""

import time
from collections import OrderedDict

from prometheus_client import Histogram

from events.models import Replay

TARGET_S = 0.025
"""From the first checkpoint's lock to the end of the commit."""
FIRST = 0.5
LEAST = 0.02
SHRINK, GROW = 0.5, 1.25
"""At most by so much a share changes with one step."""
REMEMBERED = 100

clock = time.monotonic

held = Histogram(
    "clarion_replay_hold_seconds",
    "How long a replay's step held checkpoints.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)
_shares: OrderedDict[int, float] = OrderedDict()  # by replay


def fitting(replay: Replay, most: int) -> int:
    """Return how many of something a step should take, of at most so many; never less than one."""
    return max(1, round(most * _shares.get(replay.pk, FIRST)))


def measured(replay: Replay, since: float) -> None:
    """Learn from a step that has held checkpoints since then, by this module's clock."""
    seconds = clock() - since
    held.labels(replay.kind).observe(seconds)
    factor = min(GROW, max(SHRINK, TARGET_S / max(seconds, 0.001)))
    _shares[replay.pk] = min(1.0, max(LEAST, _shares.get(replay.pk, FIRST) * factor))
    _shares.move_to_end(replay.pk)
    if len(_shares) > REMEMBERED:
        _shares.popitem(last=False)


def forget() -> None:
    """Learn anew (tests number their replays from one on)."""
    _shares.clear()
