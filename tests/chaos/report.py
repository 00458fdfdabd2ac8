"""``make chaos``: runs every scenario in its long form and writes ``docs/chaos.md``.

The page tells the last long run in full and every run that was reported in one line each.
``CHAOS_SEED=`` has an earlier run again; ``CHAOS_FORM=short`` adds a line for a short one.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "chaos.md"
SCENARIOS = 13
"""Those that tell figures; the suite has more tests: outages one by one, restoring, deliveries."""
LANES = ("urgent", "normal", "bulk")
PACKAGES = ("django", "psycopg", "celery", "redis", "daphne", "channels")
OWN = ("events", "unknown", "repeats", "shown", "closings", "fault_s", "before", "fault", "seconds")
"""Figures that every scenario has."""
ABOUT = """\
Every scenario runs two gateways, two workers and beat (13: the one process) under a steady load, with 71 devices of
players that check each frame. Afterwards every table and every device is compared with what the writers were
answered: `wrong` counts what was lost, doubled or out of order. Latencies are from the first post of a probe to a
player's screen, in ms: median / 99th percentile / longest. `answers unknown` are posts whose outcome the writer was
not told; the same ids were sent again."""
HEAD = (
    "scenario", "events", "answers unknown", "before, urgent", "during, urgent", "during, normal", "during, bulk",
    "back to normal after", "wrong",
)  # fmt: skip


RUNS = "## Every run that was reported"
RUNS_HEAD = (
    "when",
    "revision",
    "form",
    "seed",
    "scenarios",
    "minutes",
    "slowest recovery",
    "wrong",
    "came to",
)


def main() -> int:
    """Run, and write the page whatever came out."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "report"
        own = {"CLARION_TEST_BACKEND": "services", "CI": "true", "CHAOS_REPORT": str(lines)}
        command = [sys.executable, "-m", "pytest", "-q", "-m", "chaos", "tests/chaos", *sys.argv[1:]]
        environment = {"CHAOS_FORM": "long", **os.environ, **own}
        code = subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode
        told = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
        versions = Path(f"{lines}.versions")
        servers = json.loads(versions.read_text()) if versions.exists() else []
    if told:
        PAGE.parent.mkdir(exist_ok=True)
        before = PAGE.read_text() if PAGE.exists() else ""
        minutes = (time.monotonic() - began) / 60
        PAGE.write_text(page(before, told, servers, minutes=minutes, passed=code == 0))
        print(f"written: {PAGE.relative_to(ROOT)}")  # noqa: T201 - it reports to a terminal
    return code


def page(before: str, told: list[dict[str, Any]], servers: list[str], *, minutes: float, passed: bool) -> str:
    """Return the page in Markdown; ``before`` is the page as it was, whose lines on earlier runs stay."""
    full, _, runs = before.partition(f"{RUNS}\n")
    rows = sorted(told, key=lambda each: each["scenario"])
    result = "all promises were kept" if passed and len(rows) >= SCENARIOS else "not all of it passed"
    if rows[0]["form"] == "long" or not full:
        full = "\n".join(_in_full(rows, servers, minutes, result))
    if not runs:
        runs = f"\n{_cells(RUNS_HEAD)}\n{_cells(['---'] * len(RUNS_HEAD))}\n"
    return f"{full}{RUNS}\n{runs}{_run(rows, minutes, result)}\n"


def _in_full(rows: list[dict[str, Any]], servers: list[str], minutes: float, result: str) -> list[str]:
    seed, form = rows[0]["seed"], rows[0]["form"]
    packages = [f"{name} {version(name)}" for name in PACKAGES]
    return [
        "# The chaos suite's last long run",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}: {form} form, {len(rows)} of {SCENARIOS} scenarios, {minutes:.0f} min,"
        f" {result}.",
        f"The same dice again: `CHAOS_SEED={seed} make chaos` (processes and clocks keep their own).",
        f"{os.cpu_count()} cores, {', '.join([*servers, f'Python {platform.python_version()}', *packages])}.",
        "",
        ABOUT,
        "",
        _cells(HEAD),
        _cells(["---"] * len(HEAD)),
        *(_row(each) for each in rows),
        "",
        "What was broken, in figures:",
        "",
        *(_more(each) for each in rows),
        "",
        "",
    ]


def _run(rows: list[dict[str, Any]], minutes: float, result: str) -> str:
    """Return one run in one line."""
    command = ["git", "describe", "--always", "--dirty"]
    revision = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    return _cells(
        [
            f"{datetime.now(UTC):%Y-%m-%d %H:%M}", revision or "unknown", rows[0]["form"], rows[0]["seed"], len(rows),
            f"{minutes:.0f}", f"{max(each['recovered_s'] for each in rows):.1f} s",
            sum(len(each["wrong"]) for each in rows), result,
        ]
    )  # fmt: skip


def _row(told: dict[str, Any]) -> str:
    figures = told["figures"]
    during = [_latency(figures["fault"], lane) for lane in LANES]
    before = _latency(figures["before"], "urgent")
    ends = (f"{told['recovered_s']:.1f} s", len(told["wrong"]))
    return _cells([_name(told), figures["events"], figures["unknown"], before, *during, *ends])


def _cells(cells: Any) -> str:
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def _more(told: dict[str, Any]) -> str:
    figures = told["figures"]
    parts = [f"the fault lasted {figures['fault_s']} s"]
    if figures["closings"]:
        closings = sorted(figures["closings"].items())
        parts.append("sockets ended " + ", ".join(f"{count} x {code}" for code, count in closings))
    parts += [f"{name}: {_told(value)}" for name, value in figures.items() if name not in OWN]
    return f"- {_name(told)}: {'; '.join(parts)}"


def _told(value: Any) -> str:
    if isinstance(value, dict) and value.keys() <= set(LANES):
        return ", ".join(f"{lane} {_latency(value, lane)}" for lane in value)
    if isinstance(value, dict):
        return ", ".join(f"{count} x {name}" for name, count in value.items())
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _latency(figures: dict[str, list[int]], lane: str) -> str:
    return " / ".join(str(each) for each in figures[lane]) if lane in figures else "none posted"


def _name(told: dict[str, Any]) -> str:
    return str(told["scenario"]).removeprefix("test_").replace("_", " ")


if __name__ == "__main__":
    sys.exit(main())
