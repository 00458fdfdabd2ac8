"""The report: one page for readers, one file for programs, some lines for a terminal."""

import json
import os
import platform
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.rows import Row, spread

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = (
    "django", "djangorestframework", "psycopg", "celery", "redis", "daphne", "channels", "channels-redis",
)  # fmt: skip


def machine(servers: Sequence[str]) -> str:
    """Name what was measured on."""
    packages = [f"{name} {version(name)}" for name in PACKAGES]
    return ", ".join(
        [_processor(), f"{os.cpu_count()} cores", f"Python {platform.python_version()}", *servers, *packages]
    )


def printed(rows: Iterable[Row]) -> str:
    """Return the rows for a terminal."""
    lines: list[str] = []
    for row in rows:
        lines.append(f"{row.number}. {row.title}")
        lines += [f"     {name}: {spread(values)}" for name, values in row.figures.items() if values]
        lines += [f"   {'ok  ' if bound.kept else 'MISS'} {bound}" for bound in row.bounds]
    return "\n".join([*lines, ""])


def stored(rows: Iterable[Row], about: str) -> str:
    """Return everything as JSON."""
    told = {
        "version": 1,
        "when": _now(),
        "revision": _revision(),
        "machine": about,
        "rows": [asdict(row) for row in rows],
    }
    return json.dumps(told, indent=1) + "\n"


def markdown(rows: Sequence[Row], about: str, *, minutes: float) -> str:
    """Return the page."""
    lines = [
        "# Clarion, measured",
        "",
        f"{_now()}, revision {_revision()}, {minutes:.0f} min: `make bench`. On {about}.",
        "",
        "Every figure is the median of its rounds, with the lowest and the highest; every ratio divides medians of one"
        " run on one machine. Durability is on everywhere (`fsync`, `synchronous_commit`).",
        "",
        "| # | what | bound | measured | |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        for bound in row.bounds:
            limit = (
                f"at least {bound.at_least:g}" if bound.at_least is not None else f"at most {bound.at_most:g}"
            )
            lines.append(
                f"| {row.number} | {row.title}: {bound.what} | {limit} | {bound.value:.3g} |"
                f" {'kept' if bound.kept else '**missed**'} |"
            )
    for row in rows:
        lines += ["", f"## {row.number}. {row.title}", "", "| | median (lowest to highest) |", "|---|---|"]
        lines += [f"| {name} | {spread(values)} |" for name, values in row.figures.items() if values]
        lines += ["", *row.notes]
    return "\n".join(lines).rstrip() + "\n"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _revision() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M}"
