"""Clarion on the suite's own servers: two gateways behind one address, three workers, beat."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg

from tests.chaos.proxy import Proxy
from tests.chaos.servers import Servers
from tests.config.deployment import READY_S, Fleet, settings_of
from tests.config.processes import MANAGE, finished, free_port

WORKERS = ("worker-urgent", "worker")
"""Those that run hubs."""
GATEWAYS = ("web-1", "web-2")
LEAVE_S = 30.0
"""The bound of the design for a process that was asked to stop."""
TEMPLATE = "chaos_template"
"""An empty, migrated database that each deployment's is copied from."""
KEPT = Path(os.environ.get("CHAOS_LOGS", "")) if os.environ.get("CHAOS_LOGS") else None
"""Where what the processes printed is kept; else it goes with them."""
_numbers = count(1)


class Deployment(Fleet):
    """Serves at ``url`` when made, on a database and with a prefix of its own."""

    def __init__(self, servers: Servers, *, slow: bool = False, **variables: str) -> None:
        """``slow`` lets PostgreSQL be slowed down; ``variables`` may name other settings."""
        self.servers = servers
        self.database = f"chaos_{next(_numbers)}"
        self.to_postgres, self.to_rabbit = Proxy([servers.postgres.port]), Proxy([servers.rabbit.port])
        self.ports = {name: free_port() for name in GATEWAYS}
        self.front = Proxy(list(self.ports.values()))
        self.url = f"http://127.0.0.1:{self.front.port}"
        environment = {
            **settings_of("chaos", self.front.port),
            "DATABASE_URL": servers.postgres.url(self.database, self.to_postgres.port if slow else 0),
            "REDIS_URL": f"redis://127.0.0.1:{servers.redis.port}/0",
            "CELERY_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{self.to_rabbit.port}//",
            "CLARION_PREFIX": f"{self.database}:",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            **variables,
        }
        super().__init__(self.database, environment)
        try:
            self._create_database()
            self.start_all()
        except BaseException:
            self._clean_up()
            raise

    # -- processes -------------------------------------------------------------------------------------

    def start_named(self, name: str) -> None:
        """Start one process; gateways have each a port."""
        if name in GATEWAYS:
            self.start("web", name, PORT=str(self.ports[name]))
        else:
            self.start(name)

    def start_all(self) -> None:
        """Start all, and wait until both gateways serve."""
        for name in (*GATEWAYS, *WORKERS, "worker-deliveries", "beat"):
            self.start_named(name)
        for name in GATEWAYS:
            self.wait_until_ready_at(f"http://127.0.0.1:{self.ports[name]}")

    def serves(self, name: str) -> bool:
        """Tell whether a gateway answers."""
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[name]}/healthz", timeout=1).status_code == 200
        except httpx.TransportError:
            return False

    def wait_until_serves(self, name: str) -> None:
        """Wait for a gateway that was started again."""
        end = time.monotonic() + READY_S
        while not self.serves(name):
            assert time.monotonic() < end, f"{name} did not come back:\n{self.printed(name)[-3_000:]}"
            time.sleep(0.1)

    def kill(self, *names: str) -> None:
        """SIGKILL them with their children, all at once."""
        for name in names:
            if self.processes[name].poll() is None:
                os.killpg(self.processes[name].pid, signal.SIGKILL)
        for name in names:
            self.processes[name].wait()

    def restart_ended(self) -> int:
        """Start what has ended again, as a supervisor does; return how many had."""
        ended = [name for name, process in self.processes.items() if process.poll() is not None]
        for name in ended:
            self.kill_children(name)
            self.start_named(name)
        return len(ended)

    def kill_children(self, name: str) -> None:
        """End what a process that has gone may have left in its session."""
        try:
            os.killpg(self.processes[name].pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def pids(self, names: Iterable[str]) -> list[int]:
        """Return these processes and their children."""
        groups = {self.processes[name].pid for name in names if self.processes[name].poll() is None}
        listed = subprocess.run(
            ["ps", "-eo", "pid=,pgid="], capture_output=True, text=True, check=True
        ).stdout
        pairs = (line.split() for line in listed.splitlines())
        return [int(pid) for pid, group in pairs if int(group) in groups]

    # -- the database ----------------------------------------------------------------------------------

    def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Ask the deployment's database, past every proxy."""
        url = self.servers.postgres.url(self.database)
        with psycopg.connect(url, autocommit=True) as connection:
            cursor = connection.execute(statement, values)  # type: ignore[arg-type]
            return cursor.fetchall() if cursor.description else []

    def _create_database(self) -> None:
        with psycopg.connect(self.servers.postgres.url(), autocommit=True) as postgres:
            known = postgres.execute("SELECT 1 FROM pg_database WHERE datname = %s", [TEMPLATE]).fetchone()
            if known is None:
                postgres.execute(f'CREATE DATABASE "{TEMPLATE}"')
                url = self.servers.postgres.url(TEMPLATE)
                migrated = finished(
                    MANAGE, "migrate", "--noinput", seconds=READY_S,
                    **self.environment | {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "config.settings"},
                )  # fmt: skip
                assert migrated.returncode == 0, migrated.stderr
            postgres.execute(f'CREATE DATABASE "{self.database}" TEMPLATE "{TEMPLATE}"')

    def _clean_up(self) -> None:
        for proxy in (self.to_postgres, self.to_rabbit):
            proxy.flow()
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGCONT)
        if KEPT:
            shutil.copytree(self._logs, KEPT / self.database, dirs_exist_ok=True)
        self.kill(*self.processes)  # how a process stops is shown by the scenario that asks it to
        self.end()
        for proxy in (self.front, self.to_postgres, self.to_rabbit):
            proxy.close()
        with psycopg.connect(self.servers.postgres.url(), autocommit=True) as postgres:
            postgres.execute(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._clean_up()
