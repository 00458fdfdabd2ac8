"""What one turn has under way: of each outlet a few at first, and more while its answers are quick.

An endpoint that hangs would otherwise take its whole share of a process before its circuit
opens, and some of them together the whole process.
"""

import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait

from notifications.delivery.claim import PER_OUTLET, Claimed
from notifications.delivery.settling import Outcome

FEW = 2
"""So many of an outlet that is new to this process, or slow."""
QUICK_S = 1.0
"""An answer that takes longer is slow."""

_windows: dict[int, int] = {}  # of outlets, for as long as the process lives


class Flights:
    """The tries under way. For one thread; the tries themselves are made on others."""

    def __init__(self, pool: Executor, make: Callable[[Claimed], Outcome | None]) -> None:
        """Begin with none; ``make`` makes a try, or returns None when it came too late for it."""
        self._pool, self._make = pool, make
        self._flying: dict[Future[Outcome | None], tuple[Claimed, float]] = {}

    def __len__(self) -> int:
        """Return how many are under way."""
        return len(self._flying)

    @property
    def linger(self) -> bool:
        """Tell whether any of them is slow."""
        return any(self._is_slow(began) for _, began in self._flying.values())

    def begin(self, claimed: Claimed) -> None:
        """Begin a try."""
        self._flying[self._pool.submit(self._make, claimed)] = (claimed, time.monotonic())

    def room(self, outlet_id: int) -> int:
        """Return how many more of an outlet may begin."""
        mine = [began for claimed, began in self._flying.values() if claimed.outlet_id == outlet_id]
        slow = any(self._is_slow(began) for began in mine)
        return (FEW if slow else _windows.get(outlet_id, FEW)) - len(mine)

    def ended(self, timeout_s: float) -> list[Outcome]:
        """Wait for some to end, for so long at most, and return what came of them."""
        over, _ = wait(self._flying, timeout=timeout_s, return_when=FIRST_COMPLETED)
        return [outcome for each in over if (outcome := self._take(each)) is not None]

    def _take(self, future: "Future[Outcome | None]") -> Outcome | None:
        claimed, began = self._flying.pop(future)
        window = _windows.get(claimed.outlet_id, FEW)
        _windows[claimed.outlet_id] = FEW if self._is_slow(began) else min(window + 1, PER_OUTLET)
        return future.result()

    @staticmethod
    def _is_slow(began: float) -> bool:
        return time.monotonic() - began > QUICK_S
