"""PostgreSQL, Redis and RabbitMQ of the suite's own: on free ports, in temporary folders, ended with it."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from glob import glob
from pathlib import Path
from typing import Any, Self

import kombu
import psycopg
import redis

from tests.config.processes import free_port

START_S = 60.0
STOP_S = 20.0
UNPRIVILEGED = ("postgres", "nobody")


def missing() -> list[str]:
    """Return the programs that this machine lacks."""
    found = {
        "redis-server": shutil.which("redis-server"),
        "rabbitmq-server": _rabbit(),
        "PostgreSQL's initdb": postgres_program("initdb"),
    }
    return [name for name, path in found.items() if not path]


class Server(ABC):
    """One server process, which can be stopped, killed and started again on its data."""

    def __init__(self) -> None:
        """Make the folder; ``start`` starts."""
        self.folder = Path(tempfile.mkdtemp(prefix=f"chaos-{type(self).__name__.lower()}-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def version(self) -> str:
        """What it says that it is."""

    @abstractmethod
    def launch(self) -> "subprocess.Popen[bytes]":
        """Start the process."""

    @abstractmethod
    def ask(self) -> Any:
        """Ask it something; raises while it does not serve."""

    def start(self) -> None:
        """Start it, and wait until it serves."""
        self._process = self.launch()
        end = time.monotonic() + START_S
        while True:
            try:
                self.ask()
            except Exception:  # noqa: BLE001 - each client has errors of its own, and all mean: not yet
                if self._process.poll() is not None or time.monotonic() > end:
                    raise AssertionError(f"{type(self).__name__} did not start:\n{self.said()}") from None
                time.sleep(0.05)
            else:
                return

    def stop(self, number: int = signal.SIGTERM) -> None:
        """Stop it by a signal, and wait until it has gone."""
        assert self._process
        self._process.send_signal(number)
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    @property
    def pid(self) -> int:
        """Its first process."""
        assert self._process
        return self._process.pid

    def end(self) -> None:
        """Stop it for good, with all its data."""
        if self._process and self._process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def said(self) -> str:
        """Return the end of what it has printed."""
        return (self.folder / "log").read_text(errors="replace")[-3_000:]

    def run(self, *command: str, **options: Any) -> "subprocess.Popen[bytes]":
        """Start a program in a session of its own."""
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, **options)


class Postgres(Server):
    """A cluster with the durability of a production one; as an unprivileged user when the suite runs as root."""

    def __init__(self) -> None:
        """Make the cluster."""
        super().__init__()
        self._who = _unprivileged()
        if self._who:
            shutil.chown(self.folder, **self._who)
        initdb = [
            postgres_program("initdb"),
            "-D",
            "data",
            "-U",
            "postgres",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]
        subprocess.run(initdb, cwd=self.folder, check=True, capture_output=True, **self._options())

    @property
    def version(self) -> str:
        with psycopg.connect(self.url()) as connection:
            return f"PostgreSQL {connection.info.server_version // 10_000}"

    def url(self, database: str = "postgres", port: int = 0) -> str:
        return f"postgres://postgres@127.0.0.1:{port or self.port}/{database}"

    def launch(self) -> "subprocess.Popen[bytes]":
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
            "max_connections": 150,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self.run(
            postgres_program("postgres"), "-D", "data", *options, cwd=self.folder, **self._options()
        )

    def ask(self) -> None:
        psycopg.connect(self.url(), connect_timeout=2).close()

    def stop(self, number: int = signal.SIGINT) -> None:
        """SIGINT is ``-m fast``, SIGQUIT is ``-m immediate``: as if the machine had lost its power."""
        super().stop(number)

    def _options(self) -> dict[str, Any]:
        if not self._who:
            return {}
        return {"user": self._who["user"], "group": self._who["group"], "extra_groups": []}


class Replica(Postgres):
    """A base backup of a running cluster that follows it, until it is promoted."""

    def __init__(self, primary: Postgres) -> None:
        """Take the backup; ``start`` starts it, and it streams from then on."""
        Server.__init__(self)
        self._who = _unprivileged()
        if self._who:
            shutil.chown(self.folder, **self._who)
        backup = [postgres_program("pg_basebackup"), "-D", "data", "-R", "-X", "stream", "-c", "fast"]
        subprocess.run(
            [*backup, "-d", primary.url()],
            cwd=self.folder,
            check=True,
            capture_output=True,
            **self._options(),
        )

    def promote(self) -> None:
        """Let it go on by itself, on a timeline of its own."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote(true, 30)")


class Redis(Server):
    """Keeps nothing: it comes back empty."""

    @property
    def version(self) -> str:
        with redis.Redis(port=self.port) as client:
            return f"Redis {client.info()['redis_version']}"

    def launch(self) -> "subprocess.Popen[bytes]":
        quiet = ("--save", "", "--appendonly", "no", "--dir", str(self.folder))
        return self.run("redis-server", "--bind", "127.0.0.1", "--port", str(self.port), *quiet)

    def ask(self) -> None:
        with redis.Redis(port=self.port, socket_timeout=2) as client:
            client.ping()


class Rabbit(Server):
    """A node that knows no other, with a port mapper of its own."""

    def __init__(self) -> None:
        """Start the port mapper; Erlang would otherwise start one that outlives the suite."""
        super().__init__()
        self._mapper_port, self._distribution = free_port(), free_port()
        self._mapper = self.run("epmd", "-address", "127.0.0.1", "-port", str(self._mapper_port))
        (self.folder / "conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nlog.file.level = warning\n"
        )
        (self.folder / "plugins").write_text("[].")

    @property
    def version(self) -> str:
        with kombu.Connection(self.url) as connection:
            return f"RabbitMQ {connection.default_channel.connection.server_properties['version']}"

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def launch(self) -> "subprocess.Popen[bytes]":
        folder = self.folder
        environment = {
            "HOME": folder,
            "ERL_EPMD_PORT": self._mapper_port,
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"chaos{self.port}@localhost",
            "RABBITMQ_DIST_PORT": self._distribution,
            "RABBITMQ_MNESIA_BASE": folder / "mnesia",
            "RABBITMQ_LOG_BASE": folder / "logs",
            "RABBITMQ_PID_FILE": folder / "pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": folder / "plugins",
            "RABBITMQ_CONFIG_FILE": folder / "conf",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 2:2 +sbwt none",  # schedulers that do not spin when idle
        }
        more = {name: str(value) for name, value in environment.items()}
        return self.run(_rabbit(), env=os.environ | more)

    def ask(self) -> None:
        with kombu.Connection(self.url, connect_timeout=2) as connection:
            connection.default_channel.queue_declare("", exclusive=True)

    def forget(self) -> None:
        """Lose all that it kept, while it is stopped."""
        shutil.rmtree(self.folder / "mnesia")

    def end(self) -> None:
        super().end()
        self._mapper.terminate()
        self._mapper.wait(STOP_S)


class Servers:
    """All three, started together."""

    def __init__(self) -> None:
        """Start them."""
        self.postgres, self.redis, self.rabbit = Postgres(), Redis(), Rabbit()
        self._all: tuple[Server, ...] = (self.postgres, self.redis, self.rabbit)
        for server in self._all:
            server.start()

    @property
    def versions(self) -> list[str]:
        return [server.version for server in self._all]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for server in self._all:
            server.end()


def _unprivileged() -> dict[str, Any]:
    """Return whom PostgreSQL is run as; nothing when the suite is not root itself."""
    if os.geteuid() != 0:
        return {}
    known = {each.pw_name: each for each in pwd.getpwall()}
    who = next(known[name] for name in UNPRIVILEGED if name in known)
    return {"user": who.pw_uid, "group": who.pw_gid}


def postgres_program(program: str) -> str:
    """Return the path of one of PostgreSQL's programs: Debian keeps them off the PATH."""
    beside = sorted(glob(f"/usr/lib/postgresql/*/bin/{program}"), key=_number)  # noqa: PTH207 - from the root
    return shutil.which(program) or (beside[-1] if beside else "")


def _number(path: str) -> float:
    return float(path.split("/")[4])


def _rabbit() -> str:
    """Return the server's own script: the one on the PATH, where a packager wrapped it, changes the user and folder."""
    own = "/usr/lib/rabbitmq/bin/rabbitmq-server"
    return own if Path(own).exists() else shutil.which("rabbitmq-server") or ""
