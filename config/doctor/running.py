"""Runs checks one after the other: each in bounded time, none in the way of another."""

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from traceback import extract_tb

from django.db import connections

from config.doctor.check import Check, Target
from config.doctor.finding import Finding, Level, fail, not_run


@dataclass(frozen=True, kw_only=True)
class Examined:
    """A check, and what came of it."""

    check: Check
    findings: Sequence[Finding] = field(default_factory=tuple)
    seconds: float = 0.0

    @property
    def failed(self) -> bool:
        """Tell whether anything that stands on it need not be looked at."""
        return any(each.level in {Level.FAIL, Level.NOT_RUN} for each in self.findings)


def examine(checks: Iterable[Check], target: Target) -> Iterator[Examined]:
    """Run those that make sense for this deployment, in their order; each is told as soon as it is done."""
    failed: set[str] = set()
    for check in checks:
        if not _makes_sense(check, target):
            continue
        missing = [name for name in check.needs if name in failed]
        done = _left_out(check, missing) if missing else _run(check, target)
        if done.failed:
            failed.add(check.name)
        yield done


def chosen(checks: Sequence[Check], only: Iterable[str]) -> list[Check]:
    """Return the checks of these names or groups, with all that they need; all of them for none.

    Raises:
        KeyError: nothing has this name.
    """
    names = set(only)
    if not names:
        return list(checks)
    if unknown := names - {check.name for check in checks} - {check.group for check in checks}:
        raise KeyError(min(unknown))
    wanted = {check.name for check in checks if {check.name, check.group} & names}
    for check in reversed(checks):  # what is needed comes earlier
        if check.name in wanted:
            wanted.update(check.needs)
    return [check for check in checks if check.name in wanted]


def _makes_sense(check: Check, target: Target) -> bool:
    way = "services" if target.services else "embedded"
    return way in check.ways and (bool(target.url) or not check.only_with_url)


def _left_out(check: Check, missing: Sequence[str]) -> Examined:
    return Examined(check=check, findings=(not_run(f"it needs {missing[0]} to be well"),))


def _run(check: Check, target: Target) -> Examined:
    """Wait for a check on a thread of its own: one that hangs keeps the thread, and nothing else."""
    found: list[Finding] = []
    began = time.monotonic()
    thread = threading.Thread(
        target=_look, args=(check, target, found), name=f"doctor-{check.name}", daemon=True
    )
    thread.start()
    thread.join(check.patience_s)
    findings = list(found)
    if thread.is_alive():
        findings.append(
            fail(
                f"{_what(check)} did not come to an end within {check.patience_s:.0f} s",
                "what it asks takes connections and does not answer: look whether that machine or process is"
                " frozen, or its disk full",
            )
        )
    return Examined(check=check, findings=tuple(findings), seconds=time.monotonic() - began)


def _look(check: Check, target: Target, found: list[Finding]) -> None:
    try:
        for finding in check.look(target):
            found.append(finding)  # noqa: PERF402 - one by one: what it finds before it hangs is told
    except Exception as error:  # noqa: BLE001 - one that crashes must not hide the others
        place = extract_tb(error.__traceback__)[-1]
        found.append(
            fail(
                f"{_what(check)} broke off: {type(error).__name__} in {place.name}, line {place.lineno}",
                "this is a fault of the check, or of what it could not foresee; the others are not affected,"
                " please report it",
            )
        )
    else:
        if not found:
            found.append(fail(f"{_what(check)} has nothing to say", "please report it"))
    finally:
        connections.close_all()


def _what(check: Check) -> str:
    return f"the check {check.name}"
