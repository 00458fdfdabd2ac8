"""What a dry run has counted, kept in its replay's row as JSON."""

from collections.abc import Iterable
from hashlib import sha256
from typing import Any

from events.models import Replay

SAMPLES = 5
SKETCH = 512
"""Up to so many players are counted exactly; beyond, to within about 5 %."""
HASH_BITS = 64


class Tally:
    """Counts by name, a few samples, and how many different players."""

    def __init__(self, replay: Replay) -> None:
        """Go on from what the replay has counted so far."""
        kept = replay.result
        self.counts: dict[str, dict[str, int]] = {
            name: dict(each) for name, each in kept.get("counts", {}).items()
        }
        self.samples: dict[str, list[Any]] = {
            name: list(each) for name, each in kept.get("samples", {}).items()
        }
        self._sketch: set[int] = set(kept.get("sketch", ()))

    def count(self, group: str, name: str, by: int = 1) -> None:
        """Count something in a group, such as ``sent`` in ``outcomes``."""
        names = self.counts.setdefault(group, {})
        names[name] = names.get(name, 0) + by

    def sample(self, name: str, *values: Any) -> None:
        """Keep the first few: ids only, so that what is erased later is not shown from here."""
        kept = self.samples.setdefault(name, [])
        if len(kept) < SAMPLES:
            kept.append(list(values))

    def meet(self, players: Iterable[str]) -> None:
        """Count these players, each once."""
        self._sketch.update(_hash(key) for key in players)
        self._sketch = set(sorted(self._sketch)[:SKETCH])

    def players(self) -> int:
        """Return how many different players there were: exact while there are few."""
        if len(self._sketch) < SKETCH:
            return len(self._sketch)
        return int((SKETCH - 1) * (1 << HASH_BITS) // max(self._sketch))

    def stored(self) -> dict[str, Any]:
        """Return it as the replay's result."""
        return {
            "counts": self.counts,
            "samples": self.samples,
            "players": self.players(),
            "players_exact": len(self._sketch) < SKETCH,
            "sketch": sorted(self._sketch),
        }


def _hash(key: str) -> int:
    return int.from_bytes(sha256(key.encode()).digest()[: HASH_BITS // 8])
