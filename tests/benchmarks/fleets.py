"""Clarion and the baseline as processes, each on a database of its own on the same three servers."""

import json
import tempfile
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg

from tests.chaos.servers import Servers
from tests.config.deployment import KINDS, Fleet, settings_of
from tests.config.processes import MANAGE, Up, finished, free_port

GAME = "demo"
DRIVE_S = 900.0
"""Longer than the slowest baseline takes."""
_numbers = count(1)


class Driven:
    """What can be driven."""

    target = ""
    url = ""
    key = "nobody asks for it"

    def drive(self, **plan: Any) -> dict[str, Any]:
        """Run a plan in a process of its own and return its figures."""
        figures = self._told(
            "tests.benchmarks.driving",
            self.target,
            **{"game": GAME, "url": self.url, "key": self.key, **plan},
        )
        assert not figures["lost"], figures
        return figures

    def post(self, **plan: Any) -> dict[str, Any]:
        """Post events as fast as they are answered."""
        return self._told("tests.benchmarks.posting", **{"url": self.url, "key": self.key, **plan})

    @staticmethod
    def _told(program: str, *arguments: str, **plan: Any) -> dict[str, Any]:
        done = finished("-m", program, *arguments, json.dumps(plan), seconds=DRIVE_S)
        assert done.returncode == 0, done.stderr[-3_000:]
        figures: dict[str, Any] = json.loads(done.stdout)
        return figures


class Measured(Driven, Fleet):
    """Processes on a database of their own, which goes with them."""

    def __init__(self, servers: Servers, name: str, environment: Mapping[str, str], port: int) -> None:
        self.servers, self.port, self.url = servers, port, f"http://127.0.0.1:{port}"
        self.database = f"bench_{name}_{next(_numbers)}"
        own = {
            "DATABASE_URL": servers.postgres.url(self.database),
            "REDIS_URL": f"redis://127.0.0.1:{servers.redis.port}/0",
            "CELERY_BROKER_URL": servers.rabbit.url,
        }
        super().__init__(self.database, own | dict(environment))

    def begin(self) -> None:
        raise NotImplementedError

    def finish(self, *command: str) -> str:
        done = finished(*command, seconds=DRIVE_S, **self.environment)
        assert done.returncode == 0, done.stderr[-3_000:]
        return done.stdout.strip()

    def __enter__(self) -> Self:
        try:
            self._on_postgres(f'CREATE DATABASE "{self.database}"')
            self.begin()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self._on_postgres(f'DROP DATABASE IF EXISTS "{self.database}" WITH (FORCE)')

    def one(self, statement: str) -> Any:
        """Return one value from the deployment's database."""
        with psycopg.connect(self.servers.postgres.url(self.database), autocommit=True) as postgres:
            [value] = postgres.execute(statement).fetchone() or [None]  # type: ignore[arg-type]
            return value

    def _on_postgres(self, statement: str) -> None:
        with psycopg.connect(self.servers.postgres.url(), autocommit=True) as postgres:
            postgres.execute(statement)  # type: ignore[arg-type]


class ClarionFleet(Measured):
    """One of each kind of process, as the Procfile has them, or some kinds only."""

    target = "clarion"

    def __init__(self, servers: Servers, kinds: Sequence[str] = KINDS, **variables: str) -> None:
        self._kinds, port = kinds, free_port()
        super().__init__(servers, "clarion", settings_of("bench", port) | variables, port)
        self.environment |= {
            "CLARION_PREFIX": f"{self.database}:",
            "DJANGO_SETTINGS_MODULE": "config.settings",
        }

    def begin(self) -> None:
        self.finish(MANAGE, "migrate", "--noinput")
        self.finish(MANAGE, "creategame", GAME)
        self.finish(MANAGE, "installdemo", GAME)
        self.key = self.finish(MANAGE, "apikey", GAME, "--name", "bench")
        for kind in self._kinds:
            self.start(kind)
        if "web" in self._kinds:
            self.wait_until_ready_at(self.url)


class BaselineFleet(Measured):
    """One daphne, and one Celery worker of two processes."""

    target = "baseline"

    def __init__(self, servers: Servers, variant: str = "") -> None:
        settings = "tests.benchmarks.baseline.settings"
        super().__init__(
            servers, "baseline", {"BASELINE": variant, "DJANGO_SETTINGS_MODULE": settings}, free_port()
        )

    def begin(self) -> None:
        self.finish("-m", "django", "migrate", "--run-syncdb")
        module = "tests.benchmarks.baseline"
        self.launch("web", f"daphne -v 0 -b 127.0.0.1 -p {self.port} {module}.asgi:application")
        self.launch("worker", f"celery -A {module}.worker worker --concurrency 2 --loglevel WARNING")
        self.wait_until_ready_at(self.url)

    def answers(self, url: str) -> bool:
        return httpx.post(f"{url}/api/v1/events", json=[], timeout=5).status_code == 202


class EmbeddedFleet(Driven):
    """The one process on SQLite: ``manage.py up`` without the demo's simulator."""

    target = "clarion"

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="bench-embedded-")
        self._up: Up | None = None

    def __enter__(self) -> Self:
        self._up = Up(Path(self._folder.name), "--no-demo")
        self.url = self._up.url
        for command in (["creategame", GAME], ["installdemo", GAME], ["apikey", GAME, "--name", "bench"]):
            done = finished(MANAGE, *command, CLARION_DATA=self._folder.name)
            assert done.returncode == 0, done.stderr
            self.key = done.stdout.strip()
        return self

    def __exit__(self, *_: object) -> None:
        if self._up:
            self._up.stop()
        self._folder.cleanup()
