"""Finding a process in the very middle of something, and stopping it there."""

import os
import signal
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Self

import psycopg

from tests.chaos.fleet import Deployment

FOUND_S = 60.0
STOPS_S = 2.0
"""A process in the kernel's hands (writing to a disk) stops only when it is out of them."""
IN_A_BATCH = (
    "SELECT a.pid, a.client_port, a.xact_start FROM pg_stat_activity a WHERE a.datname = current_database()"
    " AND a.xact_start IS NOT NULL AND (SELECT count(DISTINCT l.relation) FROM pg_locks l WHERE l.pid = a.pid"
    " AND l.granted AND l.mode = 'RowShareLock'"
    " AND l.relation IN ('events_checkpoint'::regclass, 'players_player'::regclass)) = 2"
)
"""Whoever has a checkpoint's row and players': that is the second transaction of a hub's batch, and nothing else."""
IN_COPY = (
    "SELECT a.pid, a.client_port, a.xact_start FROM pg_stat_activity a WHERE a.datname = current_database()"
    " AND a.state = 'active' AND a.wait_event = 'ClientRead' AND a.query LIKE 'COPY events_event%'"
)
"""Whoever has begun to send rows and has not ended."""
IN_AN_APPEND = (
    "SELECT a.pid, a.client_port, a.xact_start FROM pg_stat_activity a WHERE a.datname = current_database()"
    " AND a.application_name = 'clarion-append' AND a.state = 'idle in transaction' AND EXISTS (SELECT 1 FROM"
    " pg_locks l WHERE l.pid = a.pid AND l.granted AND l.relation = 'events_partition'::regclass)"
)
"""Whoever has partitions' rows and is about to say what next."""
STILL = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND xact_start = %s"


class Hunter:
    """Watches the database's sessions; stops first, then looks again, and so never counts a near miss."""

    def __init__(self, deployment: Deployment, client_port: Callable[[int], int] = int) -> None:
        """``client_port`` tells whose connection PostgreSQL sees at a port, where a proxy is in between."""
        self._deployment, self._client_port = deployment, client_port
        url = deployment.servers.postgres.url(deployment.database)
        self._connection = psycopg.connect(url, autocommit=True)
        self._owners: dict[tuple[int, int], int] = {}  # by session: looking one up takes longer than a batch
        self.missed = 0
        self.port = 0
        """From which port of this machine the last one that was stopped is connected."""
        self._last: tuple[int, datetime] | None = None

    def stop_one(self, doing: str, names: Iterable[str]) -> int:
        """SIGSTOP one process of these while it is doing that, and return its id."""
        end = time.monotonic() + FOUND_S
        while time.monotonic() < end:
            for backend, port, since in self._connection.execute(doing).fetchall():
                pid = self._owners.get((backend, port))
                if pid is None:
                    pid = owner(self._client_port(port), self._deployment.pids(names))
                    self._owners[backend, port] = pid
                if not pid:
                    continue
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
                    self._last = (backend, since)
                    if stands_still(pid) and self.still_there():
                        self.port = self._client_port(port)
                        return pid
                    self.missed += 1
                    os.kill(pid, signal.SIGCONT)
            time.sleep(0.002)
        raise AssertionError(f"nobody was seen doing it within {FOUND_S} s")

    def still_there(self) -> bool:
        """Tell whether the transaction of the last one that was stopped has not ended."""
        assert self._last
        return self._connection.execute(STILL, self._last).fetchone() is not None

    def still_does(self, doing: str) -> bool:
        """Tell whether the last one that was stopped is seen at the same thing."""
        assert self._last
        return self._last[0] in {row[0] for row in self._connection.execute(doing).fetchall()}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()


def stands_still(pid: int) -> bool:
    """Wait until a process that was told to has stopped; False for one that was killed before.

    That one takes signals until its parent has noticed, and its session is seen until PostgreSQL has.
    """
    end = time.monotonic() + STOPS_S
    while time.monotonic() < end:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return False
        if state in {"T", "Z", "X"}:
            return state == "T"
        time.sleep(0.001)
    return False


def owner(port: int, pids: Iterable[int]) -> int:
    """Return which of these processes holds the connection from a local port; 0 when none does."""
    wanted = f"0100007F:{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = line.split()
        if columns[1] == wanted:
            return next((pid for pid in pids if f"socket:[{columns[9]}]" in _files(pid)), 0)
    return 0


def _files(pid: int) -> set[str]:
    """Return what a process has open."""
    found = set()
    with suppress(OSError):
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(OSError):
                found.add(os.readlink(entry))  # noqa: PTH115 - it is no path
    return found
