"""Runs every check that this machine can run, and says which it could not run and why.

Called by ``make test``. ``CLARION_TEST_SERVICES=1`` adds PostgreSQL, Redis and RabbitMQ;
with ``CI=true`` whatever cannot be reached is a failure. The stages in ``APART`` run only by their name.
"""

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
CI = os.environ.get("CI") == "true"
SERVICES = os.environ.get("CLARION_TEST_SERVICES") == "1"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ROOMS = ("config", "events", "players", "notifications")
PORTS = {"PostgreSQL": 5432, "Redis": 6379, "RabbitMQ": 5672}
TWO_AT_ONCE = ("-n", "2", "--dist", "loadfile")
"""A file stays on one process, so that what it starts for itself is started once."""
COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?)")
FAILED = re.compile(r"^(FAILED|ERROR) (\S+)")
NODE_COUNT = re.compile(r"^# (pass|fail|skipped) (\d+)$", re.MULTILINE)


@dataclass
class Tally:
    """What has run so far."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    broken: list[str] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)

    def add(self, word: str, count: int) -> None:
        """Count so many tests by their outcome."""
        if word == "passed":
            self.passed += count
        elif word == "skipped":
            self.skipped += count
        else:
            self.failed += count


def main() -> int:
    """Run the stages; all of them, whatever fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=[name for name, _ in STAGES], action="append")
    wanted = parser.parse_args().only
    tally = Tally()
    for name, stage in STAGES:
        if name in wanted if wanted else name not in APART:
            print(f"\n== {name}", flush=True)
            stage(tally)
    return _report(tally)


def lint(tally: Tally) -> None:
    """Style, types and architecture."""
    _check(tally, "ruff check", [BIN / "ruff", "check", "."])
    _check(tally, "ruff format", [BIN / "ruff", "format", "--check", "--quiet", "."])
    _check(tally, "mypy", [BIN / "mypy", *ROOMS])
    _check(tally, "import-linter", [BIN / "lint-imports"])


def embedded(tally: Tally) -> None:
    """Every test that needs nothing but Python, on SQLite."""
    _pytest(tally, "not services and not browser", TWO_AT_ONCE)


def services(tally: Tally) -> None:
    """The same tests, and those that need services, on PostgreSQL, Redis and RabbitMQ."""
    if not SERVICES:
        tally.not_run.append("tests on PostgreSQL, Redis and RabbitMQ: set CLARION_TEST_SERVICES=1")
        return
    away = [f"{name} at 127.0.0.1:{port}" for name, port in PORTS.items() if not _listens(port)]
    if away:
        _unreachable(tally, f"tests on services: {', '.join(away)} did not answer")
        return
    _pytest(tally, "not browser and not embedded and not chaos", TWO_AT_ONCE, CLARION_TEST_BACKEND="services")


def javascript(tally: Tally) -> None:
    """The JavaScript client's rules, in Node."""
    node = shutil.which("node")
    if node is None:
        _unreachable(tally, "the JavaScript client's tests in Node: there is no node on this machine")
        return
    files = sorted(str(path) for path in (ROOT / "tests" / "javascript").glob("*.test.mjs"))
    result = subprocess.run(
        [node, "--test", "--test-reporter=tap", *files], cwd=ROOT, capture_output=True, text=True, check=False
    )
    counts = {word: int(count) for word, count in NODE_COUNT.findall(result.stdout)}
    tally.passed += counts.get("pass", 0)
    tally.failed += counts.get("fail", 0)
    tally.skipped += counts.get("skipped", 0)
    print(f"node: {counts.get('pass', 0)} passed, {counts.get('fail', 0)} failed")
    if result.returncode:
        print(result.stdout[-20_000:])
        tally.broken.append("javascript")


def browser(tally: Tally) -> None:
    """What needs a real browser."""
    if not any(shutil.which(name) for name in CHROMIUM):
        _unreachable(tally, f"browser tests: none of {', '.join(CHROMIUM)} is on this machine")
        return
    _pytest(tally, "browser", [], DJANGO_ALLOW_ASYNC_UNSAFE="1")


def chaos(tally: Tally) -> None:
    """The short form of every scenario of the chaos suite, on servers of its own."""
    _pytest(tally, "chaos", ["-p", "no:xdist"], CLARION_TEST_BACKEND="services", CHAOS_FORM="short")


STAGES: Sequence[tuple[str, Callable[[Tally], None]]] = (
    ("lint", lint),
    ("embedded", embedded),
    ("services", services),
    ("javascript", javascript),
    ("browser", browser),
    ("chaos", chaos),
)
APART = ("chaos",)


def _check(tally: Tally, name: str, command: Sequence[str | Path]) -> None:
    print(f"-- {name}", flush=True)
    if subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode:
        tally.broken.append(name)


def _pytest(tally: Tally, marks: str, options: Sequence[str], **environment: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-rsfE", "-m", marks, *options]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    last = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        if failed := FAILED.match(line):
            tally.broken.append(failed[2])
        if COUNT.search(line):
            last = line
    code = process.wait()
    for count, word in COUNT.findall(last):
        tally.add(word, int(count))
    if code:
        tally.broken.append(f"pytest -m '{marks}'")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _unreachable(tally: Tally, what: str) -> None:
    if CI:
        tally.failed += 1
        tally.broken.append(what)
    else:
        tally.not_run.append(what)


def _report(tally: Tally) -> int:
    print("\n== in all")
    for what in tally.not_run:
        print(f"not run: {what}")
    for what in tally.broken:
        print(f"FAILED: {what}")
    failed = tally.failed or (1 if tally.broken else 0)
    print(f"{tally.passed} passed, {failed} failed, {tally.skipped} skipped", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
