"""What a benchmark comes to: a ratio within one run, its rounds, and the bound that it has to keep. Pure."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a figure has to reach: a ratio, or a figure of its own."""

    what: str
    value: float
    at_least: float | None = None
    at_most: float | None = None

    @property
    def kept(self) -> bool:
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)

    def __str__(self) -> str:
        limit = f"at least {self.at_least:g}" if self.at_least is not None else f"at most {self.at_most:g}"
        return f"{self.what} {self.value:.3g} ({limit}: {'kept' if self.kept else 'MISSED'})"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of the report."""

    number: int
    title: str
    figures: Mapping[str, Sequence[float]]
    """Each round's figure by what it is, its unit in the name: ``Clarion, events/s``."""
    bounds: Sequence[Bound] = ()
    notes: Sequence[str] = ()

    @property
    def kept(self) -> bool:
        return all(bound.kept for bound in self.bounds)


def ratio_of_medians(ours: Sequence[float], beside: Sequence[float]) -> float:
    """Divide the medians: rounds of one run stand beside each other, and an odd one counts little."""
    return statistics.median(ours) / statistics.median(beside)


def spread(values: Sequence[float]) -> str:
    """Return median and extremes: ``12.3 (11.9 to 13.0)``."""
    middle = statistics.median(values)
    return f"{middle:.3g} ({min(values):.3g} to {max(values):.3g})" if len(values) > 1 else f"{middle:.3g}"
