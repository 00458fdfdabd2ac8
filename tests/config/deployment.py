"""Clarion on services, started as the Procfile says, on a database and a virtual host of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Self

import httpx
import psycopg
from kombu import Connection

from tests.config.processes import MANAGE, ROOT, STOP_S, clean_environment, finished, free_port

POSTGRES = "postgres://postgres@127.0.0.1:5432"
REDIS_NUMBER = 11
"""Clarion's keys there begin with the prefix, so several deployments may share it."""
READY_S = 180.0
LINE = re.compile(r"^([a-z-]+): (.+)$", re.MULTILINE)
KINDS = ("web", "worker-urgent", "worker", "worker-deliveries", "beat")
QUEUES = ("default", "urgent", "deliveries")


def settings_of(name: str, port: int) -> dict[str, str]:
    """Return what a deployment needs besides its servers."""
    return {
        "SECRET_KEY": f"{name}: a secret that only tests know, and long enough for every check",
        "CLARION_TOKEN_KEY": f"{name}: a token key that only tests know, and long enough too",
        "CLARION_ALLOWED_HOSTS": "127.0.0.1",
        "CLARION_CSRF_TRUSTED_ORIGINS": f"http://127.0.0.1:{port}",
        "CLARION_HTTPS": "0",
        "PORT": str(port),
    }


class Fleet:
    """Processes of Clarion on services, started as the Procfile says. What they print is kept."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        """Start nothing yet; ``name`` is for the folder of their logs."""
        self.environment = dict(environment)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self._logs = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        self._files: list[IO[bytes]] = []

    def start(self, kind: str, name: str = "", **variables: str) -> None:
        """Start a kind of process, such as ``web`` or ``worker``; two of a kind need a name each."""
        self.launch(name or kind, dict(LINE.findall((ROOT / "Procfile").read_text()))[kind], **variables)

    def launch(self, name: str, command: str, **variables: str) -> None:
        """Start a process by a command of the shell's."""
        log = (self._logs / f"{name}.log").open("ab")
        self._files.append(log)
        path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
        self.processes[name] = subprocess.Popen(
            ["/bin/sh", "-c", f"exec {command}"],
            cwd=ROOT,
            env=clean_environment(**self.environment | variables) | {"PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,  # a stop reaches a worker's children too
        )

    def printed(self, name: str) -> str:
        """Return what a process has printed."""
        return (self._logs / f"{name}.log").read_text(errors="replace")

    def wait_until_ready_at(self, url: str) -> None:
        """Wait until all processes live, and what serves at ``url`` has all that it depends on."""
        end = time.monotonic() + READY_S
        while True:
            dead = [name for name, process in self.processes.items() if process.poll() is not None]
            if dead or time.monotonic() > end:
                said = "\n".join(f"{name}: {self.printed(name)[-3_000:]}" for name in self.processes)
                raise AssertionError(f"{dead or 'it'} did not start:\n{said}")
            try:
                if self.answers(url):
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)

    def answers(self, url: str) -> bool:
        """Tell whether what serves at ``url`` has all that it depends on."""
        return bool(httpx.get(f"{url}/readyz", timeout=5).json()["status"] == "ok")

    def end(self) -> None:
        """Stop all processes, by force those that do not stop by themselves."""
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        end = time.monotonic() + STOP_S
        for process in self.processes.values():
            try:
                process.wait(max(0.0, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        for file in self._files:
            file.close()
        shutil.rmtree(self._logs, ignore_errors=True)


class Services(Fleet):
    """Web, three workers and beat against PostgreSQL, Redis and RabbitMQ; serves when made."""

    def __init__(self, name: str, **variables: str) -> None:
        """``name`` keeps it apart from other deployments on the same servers."""
        self.name = f"clarion_{name}_{os.getpid()}"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._rabbit = shutil.which("rabbitmqctl") is not None and self._rabbitmqctl("add_vhost", self.name)
        vhost = self.name if self._rabbit else "/"
        environment = {
            "DATABASE_URL": f"{POSTGRES}/{self.name}",
            "REDIS_URL": f"redis://127.0.0.1:6379/{REDIS_NUMBER}",
            "CELERY_BROKER_URL": f"amqp://guest:guest@127.0.0.1:5672/{vhost}",
            "CLARION_PREFIX": f"{self.name}:",
            **settings_of(name, self.port),
            **variables,
        }
        super().__init__(self.name, environment)
        try:
            self._begin()
        except BaseException:
            self._end()
            raise

    def _begin(self) -> None:
        with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as postgres:
            postgres.execute(f'CREATE DATABASE "{self.name}"')
        if self._rabbit:
            self._rabbitmqctl("set_permissions", "-p", self.name, "guest", ".*", ".*", ".*")
        migrated = finished(MANAGE, "migrate", "--noinput", seconds=READY_S, **self.environment)
        assert migrated.returncode == 0, migrated.stderr
        for kind in KINDS:
            self.start(kind)
        self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until all processes live and the web answers that it can serve."""
        self.wait_until_ready_at(self.url)

    def _end(self) -> None:
        self.end()
        with psycopg.connect(f"{POSTGRES}/postgres", autocommit=True) as postgres:
            postgres.execute(f'DROP DATABASE IF EXISTS "{self.name}" WITH (FORCE)')
        if self._rabbit:
            self._rabbitmqctl("delete_vhost", self.name)
        else:
            self._delete_queues()

    def _delete_queues(self) -> None:
        with Connection(self.environment["CELERY_BROKER_URL"], connect_timeout=5) as broker:
            for queue in QUEUES:
                broker.default_channel.queue_delete(f"{self.environment['CLARION_PREFIX']}{queue}")

    @staticmethod
    def _rabbitmqctl(*command: str) -> bool:
        """Tell whether it did it: only the broker's own user may."""
        return not subprocess.run(
            ["rabbitmqctl", "--quiet", *command], capture_output=True, check=False
        ).returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
