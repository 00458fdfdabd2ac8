"""What processes have used, as the kernel counts it. Linux."""

import os
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
PARENT, TIMES = 1, slice(11, 15)
"""Places in a process's line, after its name: its parent; user and system time, and those of ended children."""


def cpu_s(pids: Iterable[int]) -> float:
    """Return the seconds of processor time of these processes and all below them, ended ones included.

    By parents, not by sessions: PostgreSQL's backends have each a session of their own.
    """
    known = dict(_processes())
    children: dict[int, list[int]] = {}
    for pid, fields in known.items():
        children.setdefault(int(fields[PARENT]), []).append(pid)
    found, waiting = 0.0, list(pids)
    while waiting:
        pid = waiting.pop()
        if pid in known:
            found += sum(int(each) for each in known[pid][TIMES]) / TICKS
            waiting += children.get(pid, [])
    return found


def memory_bytes(pid: int) -> int:
    """Return what a process has in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def _processes() -> Iterable[tuple[int, list[str]]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield int(path.parent.name), path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended since
            continue
