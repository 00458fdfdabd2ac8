"""Breaks each promise on purpose, in a copy of the tree, and demands that its test notices.

Called by ``make guards``; names of patches as arguments run only those. Every patch beside
this file is a unified diff below a few header lines:

``Breaks:`` the promise, in words. ``Test:`` the id of the pytest test that must fail, or
``node`` and a file; ``Only:`` the name of the one test in that file. ``Backend: services``
where it takes PostgreSQL to tell; these need ``CLARION_TEST_SERVICES=1``.

``GUARDS_SECONDS`` bounds a run on a slow machine: what has not begun by then is not run, and named.

A guard passes when its test passes on the tree as it is and fails, by its own assertion or
by what it calls, on the broken one. A patch that no longer fits is a failure too.
"""

import compileall
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SERVICES = os.environ.get("CLARION_TEST_SERVICES") == "1"
LEFT_OUT = (
    ".git", ".venv*", "var", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis",
    ".import_linter_cache", "node_modules", "staticfiles", "*.sqlite3*",
)  # fmt: skip
AT_ONCE = 2
TIMEOUT_S = 180
TEST_S = 10
"""For so long a run may last, and so much longer for each test, on a busy machine."""
SHOWN = 30
"""So many of the last lines are shown of a run that surprises."""
REDIS_NUMBER = 8
"""The first of those that guards use; the other tests use others."""
PYTEST_COUNT = re.compile(r"(\d+) (passed|failed|skipped|errors?|xfailed)")
NODE_FAILURE = re.compile(r"^\s*not ok \d+ - (.+)$", re.MULTILINE)
NODE_PASS = re.compile(r"^\s*ok \d+ - (?!.*# SKIP)(.+)$", re.MULTILINE)


class Misfit(Exception):
    """A patch cannot be read, or its lines are not there exactly once."""


@dataclass(frozen=True, kw_only=True)
class Guard:
    """One patch with what its header says."""

    name: str
    breaks: str
    test: str
    only: str  # of a file of Node's tests
    services: bool
    diff: str

    @property
    def check(self) -> tuple[str, str, bool]:
        """What has to pass before and fail after; several guards may share it."""
        return self.test, self.only, self.services


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of one test: at most one of the two is true."""

    passed: bool
    failed: bool
    output: str


def main(names: Sequence[str]) -> int:
    """Run all guards, or those of these names; print a line for each and a count."""
    guards = [read(path) for path in sorted(HERE.glob("*.patch")) if not names or path.stem in names]
    ready = [guard for guard in guards if SERVICES or not guard.services]
    end = time.monotonic() + float(os.environ.get("GUARDS_SECONDS", "inf"))
    with tempfile.TemporaryDirectory(prefix="clarion-guards-") as folder, ThreadPoolExecutor(AT_ONCE) as pool:
        bench = Bench(Path(folder))
        list(pool.map(bench.try_together, (True, False), [ready, ready]))
        # Whoever comes too late today comes early another day:
        random.Random(datetime.now(UTC).toordinal()).shuffle(ready)
        came = list(pool.map(lambda guard: None if time.monotonic() > end else bench.judge(guard), ready))
    for guard in guards:
        if guard not in ready:
            print(f"not run  {guard.name}: set CLARION_TEST_SERVICES=1")
    for guard, wrong in zip(ready, came, strict=True):
        if wrong is None:
            print(f"not run  {guard.name}: the time that GUARDS_SECONDS gives was over")
    failed, passed = came.count(True), came.count(False)
    print(f"{passed} passed, {failed} failed, {len(guards) - passed - failed} skipped", flush=True)
    return 1 if failed or not guards else 0


def read(path: Path) -> Guard:
    """Read a patch.

    Raises:
        Misfit: its header lacks what it breaks or which test notices.
    """
    head, mark, diff = path.read_text().partition("--- a/")
    told = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    if not mark or not told.get("Breaks") or not told.get("Test"):
        raise Misfit(f"{path.name} needs the lines Breaks: and Test: above its diff")
    return Guard(
        name=path.stem,
        breaks=told["Breaks"],
        test=told["Test"],
        only=told.get("Only", ""),
        services=told.get("Backend") == "services",
        diff=mark + diff,
    )


def apply(diff: str, tree: Path) -> None:
    """Apply a unified diff. Line numbers count for nothing; the lines of each hunk must be there exactly once.

    Raises:
        Misfit: they are not.
    """
    for part in re.split(r"^--- a/", diff, flags=re.MULTILINE)[1:]:
        name, *hunks = re.split(r"^@@.*\n", part, flags=re.MULTILINE)
        path = tree / name.split("\n", 1)[0].strip()
        text = path.read_text() if path.exists() else ""
        for hunk in hunks:
            lines = [line for line in hunk.splitlines() if line[:1] in {" ", "-", "+"}]
            old = "".join(f"{line[1:]}\n" for line in lines if line[0] != "+")
            new = "".join(f"{line[1:]}\n" for line in lines if line[0] != "-")
            if text.count(old) != 1:
                raise Misfit(f"its lines are {text.count(old)} times in {path.relative_to(tree)}, not once")
            text = text.replace(old, new)
        path.write_text(text)
        for compiled in (path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"):
            compiled.unlink()  # what is broken may have the size and second of what was whole


class Bench:
    """Copies of the tree and the tests run in them, two at a time."""

    def __init__(self, folder: Path) -> None:
        """Copy the tree as it is."""
        self._folder = folder
        self._whole = folder / "whole"
        shutil.copytree(ROOT, self._whole, ignore=shutil.ignore_patterns(*LEFT_OUT, "__pycache__"))
        compileall.compile_dir(self._whole, quiet=2)  # once, instead of in each copy
        self._mutex = threading.Lock()
        self._before: dict[tuple[str, str, bool], Future[Run]] = {}
        self._slots: SimpleQueue[int] = SimpleQueue()
        for slot in range(AT_ONCE):
            self._slots.put(slot)

    def try_together(self, services: bool, guards: Sequence[Guard]) -> None:
        """Run all pytest tests of one backend on the tree as it is, in one go.

        If they do not all pass, each guard's is run by itself, and says which it is.
        """
        those = [guard for guard in guards if guard.services == services and not _file_of_node(guard)]
        if not those:
            return
        together = self._run(those[0], self._whole, sorted({guard.test for guard in those}))
        if together.passed:
            for guard in those:
                self._before[guard.check] = Future()
                self._before[guard.check].set_result(together)

    def judge(self, guard: Guard) -> bool:
        """Print what came of a guard; True when something is wrong with it."""
        began = time.monotonic()
        complaint, output = self._complaint(guard)
        word = "FAILED " if complaint else "ok     "
        print(
            f"{word}  {guard.name} ({time.monotonic() - began:.1f} s): {complaint or guard.breaks}",
            flush=True,
        )
        if output:
            print("\n".join(f"    {line}" for line in output.splitlines()[-SHOWN:]), flush=True)
        return bool(complaint)

    def _complaint(self, guard: Guard) -> tuple[str, str]:
        tree = self._folder / guard.name
        shutil.copytree(self._whole, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        try:
            apply(guard.diff, tree)
            before = self._run_before(guard)
            if not before.passed:
                return f"{guard.test} does not pass on the tree as it is", before.output
            after = self._run(guard, tree, [guard.test])
        except Misfit as misfit:
            return str(misfit), ""
        finally:
            shutil.rmtree(tree)
        if after.failed:
            return "", ""
        how = "still passes" if after.passed else "does not fail by itself"
        return f"{guard.test} {how}, although: {guard.breaks}", "" if after.passed else after.output

    def _run_before(self, guard: Guard) -> Run:
        """Run a guard's test on the tree as it is, once for all guards that share it."""
        with self._mutex:
            future = self._before.get(guard.check)
            mine = future is None
            if future is None:
                future = self._before[guard.check] = Future()
        if mine:
            try:
                future.set_result(self._run(guard, self._whole, [guard.test]))
            except Exception as error:  # noqa: BLE001 - whoever waits for it gets it too
                future.set_exception(error)
        return future.result()

    def _run(self, guard: Guard, tree: Path, tests: Sequence[str]) -> Run:
        """Run some tests in a tree as this guard's are run."""
        slot = self._slots.get()
        scratch = Path(tempfile.mkdtemp(dir=self._folder))
        try:
            result = subprocess.run(
                _command(guard, tests),
                cwd=tree,
                env=_environment(guard, slot)
                | {"TMPDIR": str(scratch), "CLARION_TEST_MIGRATED": str(self._folder / "migrated")},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=TIMEOUT_S + TEST_S * len(tests),
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Run(passed=False, failed=False, output="it was not over in time")
        finally:
            self._slots.put(slot)
            shutil.rmtree(scratch, ignore_errors=True)
        judge = _judged_node if _file_of_node(guard) else _judged_pytest
        return judge(result)


def _file_of_node(guard: Guard) -> str:
    """Return the file of Node's tests, or nothing for pytest's."""
    return guard.test.removeprefix("node ") if guard.test.startswith("node ") else ""


def _command(guard: Guard, tests: Sequence[str]) -> list[str]:
    if file := _file_of_node(guard):
        only = [f"--test-name-pattern={re.escape(guard.only)}"] if guard.only else []
        return ["node", "--test", "--test-reporter=tap", *only, file]
    options = ["-q", "--no-header", "--tb=short", "-p", "no:schemathesis"]  # a second each, and none needs it
    return [sys.executable, "-m", "pytest", *options, *tests]


def _environment(guard: Guard, slot: int) -> dict[str, str]:
    ours = re.compile(r"^(CLARION_|CELERY_|DATABASE_URL$|REDIS_URL$|SECRET_KEY$|PYTEST_)")
    kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
    kept["PYTHONDONTWRITEBYTECODE"] = "1"  # as in ``apply``
    if not guard.services:
        return kept
    return kept | {
        "CLARION_TEST_BACKEND": "services",
        "DATABASE_URL": f"postgres://postgres@127.0.0.1:5432/clarion_guards_{slot}",
        "REDIS_URL": f"redis://127.0.0.1:6379/{REDIS_NUMBER + slot}",
    }


def _judged_pytest(result: subprocess.CompletedProcess[str]) -> Run:
    """A test that cannot be collected or set up is neither passed nor failed, nor is one that is skipped.

    What is broken may break the clean-up after a failure too.
    """
    summary = result.stdout.strip().splitlines()[-1:]
    counts = {word: int(count) for count, word in PYTEST_COUNT.findall("".join(summary))}
    return Run(
        passed=result.returncode == 0 and set(counts) == {"passed"},
        failed=result.returncode == 1 and "failed" in counts,
        output=result.stdout,
    )


def _judged_node(result: subprocess.CompletedProcess[str]) -> Run:
    """A file that cannot be loaded fails under its own name, which is no test's."""
    failures = [name for name in NODE_FAILURE.findall(result.stdout) if ".test.mjs" not in name]
    passes = [name for name in NODE_PASS.findall(result.stdout) if ".test.mjs" not in name]
    return Run(
        passed=result.returncode == 0 and bool(passes),
        failed=result.returncode == 1 and bool(failures),
        output=result.stdout,
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
