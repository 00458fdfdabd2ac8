"""What is printed: lines for people, one JSON object for programs. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from config.doctor.check import Target
from config.doctor.finding import Finding, Level
from config.doctor.running import Examined

VERSION = 1
"""Of the JSON object's shape. Fields may be added to it; none changes its meaning."""
LEVEL_WIDTH, NAME_WIDTH = 8, 14


class Lines:
    """Prints what is found as it is found, below a heading for each group."""

    def __init__(self) -> None:
        """Begin before the first group."""
        self._group = ""

    def of(self, examined: Examined) -> Iterable[str]:
        """Return the lines of one check."""
        if examined.check.group != self._group:
            self._group = examined.check.group
            yield self._group
        for finding in examined.findings:
            yield from _lines(examined.check.name.partition(".")[2], finding)


def _lines(name: str, finding: Finding) -> Iterable[str]:
    yield f"  {finding.level.word:<{LEVEL_WIDTH}}{name:<{NAME_WIDTH}}{finding.text}"
    if finding.advice:
        yield f"{'':{2 + LEVEL_WIDTH + NAME_WIDTH}}-> {finding.advice}"


def sentence(done: Sequence[Examined]) -> str:
    """Sum it up in one line."""
    counts = _counts(done)
    parts = [f"{counts[level]} {level.word}" for level in Level if counts[level] or level is Level.OK]
    return ", ".join(parts)


def healthy(done: Sequence[Examined], *, strict: bool) -> bool:
    """Tell whether nothing failed; with ``strict``, nor gave reason for a warning."""
    counts = _counts(done)
    return not counts[Level.FAIL] and not (strict and counts[Level.WARN])


def document(done: Sequence[Examined], target: Target, *, strict: bool) -> dict[str, Any]:
    """Return the JSON object; README.md describes it."""
    counts = _counts(done)
    return {
        "version": VERSION,
        "healthy": healthy(done, strict=strict),
        "mode": "services" if target.services else "embedded",
        "counts": {level.value: counts[level] for level in Level},
        "findings": [
            {
                "check": examined.check.name,
                "level": finding.level.value,
                "text": finding.text,
                "advice": finding.advice,
                "values": finding.values,
            }
            for examined in done
            for finding in examined.findings
        ],
    }


def _counts(done: Sequence[Examined]) -> Counter[Level]:
    return Counter(finding.level for examined in done for finding in examined.findings)
