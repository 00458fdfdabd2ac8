"""What was posted, what arrived, and what that comes to. Pure."""

import re
import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Result:
    """The figures that ``manage.py loadtest`` prints; times in milliseconds, from post to frame."""

    delivered_per_s: float
    accepted_per_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    mean_ms: float
    lost: int
    doubled: int
    out_of_order: int

    @property
    def kept(self) -> bool:
        """Tell whether every promise was kept."""
        return not (self.lost or self.doubled or self.out_of_order)


class Tally:
    """Notes each post and each arrival by the event's number; times in seconds of one clock."""

    def __init__(self, run: str) -> None:
        """Count only notifications that carry this run's marker."""
        self._marker = re.compile(rf"lt-{re.escape(run)}-(\d+)-")
        self._posted: dict[int, float] = {}
        self._arrived: dict[int, float] = {}
        self._versions: dict[int, int] = {}
        self._answered: list[float] = []
        self._order: dict[str, list[int]] = defaultdict(list)
        self.doubled = 0

    def posted(self, number: int, at: float) -> None:
        """Note that the event was handed to the server at this time."""
        self._posted[number] = at

    def accepted(self, versions: Mapping[int, int], at: float) -> None:
        """Note that these events were answered with success; each has this version in its player's stream."""
        self._versions |= versions
        self._answered.append(at)

    def arrived(self, player: str, notification: dict[str, Any], at: float) -> None:
        """Note that a player's socket received a notification that is new to it."""
        found = self._marker.search(f"{notification.get('title')} {notification.get('body')}")
        if found is None:
            return
        number = int(found[1])
        if number in self._arrived:
            self.doubled += 1
            return
        self._arrived[number] = at
        self._order[player].append(number)

    @property
    def waiting(self) -> int:
        """How many posted events have not arrived."""
        return len(self._posted) - len(self._arrived)

    @property
    def out_of_order(self) -> int:
        """How many arrived after one that was appended later; posts that were under way together may be swapped."""
        return sum(
            self._versions[later] < self._versions[earlier]
            for numbers in self._order.values()
            for earlier, later in pairwise(number for number in numbers if number in self._versions)
        )

    def result(self) -> Result:
        """Return the figures so far."""
        latencies = sorted(
            (at - self._posted[n]) * 1000 for n, at in self._arrived.items() if n in self._posted
        )
        return Result(
            delivered_per_s=_rate(len(self._arrived), self._posted.values(), self._arrived.values()),
            accepted_per_s=_rate(len(self._versions), self._posted.values(), self._answered),
            p50_ms=_percentile(latencies, 50),
            p95_ms=_percentile(latencies, 95),
            p99_ms=_percentile(latencies, 99),
            mean_ms=round(statistics.fmean(latencies), 2) if latencies else 0.0,
            lost=self.waiting,
            doubled=self.doubled,
            out_of_order=self.out_of_order,
        )


def _rate(count: int, begins: Iterable[float], ends: Iterable[float]) -> float:
    if not count:
        return 0.0
    return round(count / max(max(ends) - min(begins), 1e-9), 1)


def _percentile(ordered: list[float], percent: int) -> float:
    """Nearest rank: the smallest value that so many percent do not exceed."""
    if not ordered:
        return 0.0
    rank = -(-len(ordered) * percent // 100)
    return round(ordered[max(rank, 1) - 1], 2)
