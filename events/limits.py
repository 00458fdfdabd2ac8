"""How far a game's hubs may fall behind, and when what is refused may come again. Pure.

A lane is judged by the work that lies before it: its own and that of every more urgent lane,
which overtakes it. So a heap of bulk refuses bulk and nothing else; what stops urgent has
stopped normal and bulk long before, since their limits are no higher.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from events.lanes import Lane

RELEASE = 0.8
"""A lane that is refused is accepted again below this share of its limits, so that it does not flap."""
SHORTEST_S, LONGEST_S = 1.0, 60.0
"""Nobody is sent away for less or for more."""
UNKNOWN_S = 5.0
"""For so long, while nobody has measured yet how fast the work goes down."""
JITTER = 0.1


@dataclass(frozen=True, kw_only=True)
class Limit:
    """How far behind is too far for one lane; None is no limit."""

    events: int | None = None
    age_s: int | None = None

    def is_passed(self, events: int, oldest_s: float, share: float = 1.0) -> bool:
        """Tell whether so many events, or one that waits so long, are beyond this share of it."""
        return (self.events is not None and events > share * self.events) or (
            self.age_s is not None and oldest_s > share * self.age_s
        )

    @property
    def is_none(self) -> bool:
        """Tell whether nothing is ever too far."""
        return self.events is None and self.age_s is None


Limits = Sequence[Limit]
"""One for each lane, urgent first."""


@dataclass(frozen=True, kw_only=True)
class Backlog:
    """What one hub has still to do in one game; each indexed by lane, urgent first."""

    hub: str
    events: tuple[int, int, int]
    oldest_s: tuple[float, float, float]  # age of the oldest event that waits; 0 when none does
    passed: tuple[int, int, int]  # in all; its growth is the rate

    def before(self, lane: Lane) -> tuple[int, float]:
        """Return (events, age of the oldest in seconds) of a lane and of those that overtake it."""
        return sum(self.events[: lane + 1]), max(self.oldest_s[: lane + 1])


def refused(limit: Limit, backlogs: Sequence[Backlog], lane: Lane, *, before: bool) -> bool:
    """Tell whether a lane is refused, given whether it was ``before``: its slowest hub decides."""
    share = RELEASE if before else 1.0
    return any(limit.is_passed(*backlog.before(lane), share) for backlog in backlogs)


def drained_in_s(limit: Limit, events: int, oldest_s: float, rate: float | None) -> float:
    """Return after how many seconds a lane will be accepted again, at so many events a second.

    Of ``events`` the oldest waits for ``oldest_s``; they are taken to have come evenly since.
    """
    excess = 0.0
    if limit.events is not None:
        excess = events - RELEASE * limit.events
    if limit.age_s is not None and oldest_s > RELEASE * limit.age_s:
        excess = max(excess, events * (1 - RELEASE * limit.age_s / oldest_s))
    if excess <= 0:
        return SHORTEST_S
    if rate is None:
        return UNKNOWN_S
    return min(LONGEST_S, max(SHORTEST_S, excess / rate)) if rate > 0 else LONGEST_S


def jittered(seconds: float) -> int:
    """Return whole seconds near these, so that not everybody comes back at once."""
    spread = seconds * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter, no secret
    return math.ceil(min(LONGEST_S, max(SHORTEST_S, spread)))


def contradictions(limits: Limits) -> Iterator[tuple[Lane, str, str]]:
    """Yield (lane, ``events`` or ``age_s``, sentence) where a lane would be refused before a less urgent one."""
    for lane, less_urgent in ((Lane.NORMAL, Lane.BULK), (Lane.URGENT, Lane.NORMAL)):
        for what in ("events", "age_s"):
            lower, higher = getattr(limits[less_urgent], what), getattr(limits[lane], what)
            if higher is not None and (lower is None or lower > higher):
                said = "has none" if lower is None else f"is {lower:,}"
                yield (
                    less_urgent,
                    what,
                    f"{less_urgent.label} is refused before {lane.label}, so its limit must not be above {higher:,};"
                    f" it {said}",
                )
