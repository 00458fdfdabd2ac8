"""Real processes of Clarion, as an operator starts them."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
MANAGE = str(ROOT / "manage.py")
START_S = 90.0  # of patience, on a machine that has much else to do
STOP_S = 10.0
OURS = re.compile(r"^(CLARION_|DATABASE_URL$|REDIS_URL$|CELERY_|SECRET_KEY$|DJANGO_SETTINGS_MODULE$)")


def clean_environment(**variables: str) -> dict[str, str]:
    """Return this environment without anything that Clarion reads, and with these."""
    kept = {name: value for name, value in os.environ.items() if not OURS.match(name)}
    return kept | variables


def finished(*command: str, seconds: float = START_S, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to end by itself within some seconds."""
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env=clean_environment(**variables),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _interruptible() -> None:
    """Take Ctrl-C even when the tests run in the background of a shell, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


class Up:
    """``manage.py up`` on a folder; serves when made."""

    def __init__(self, data: Path, *options: str, **variables: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.lines: list[str] = []
        self._ready = threading.Event()
        self.process = subprocess.Popen(
            [sys.executable, MANAGE, "up", "--port", str(self.port), *options],
            cwd=ROOT, env=clean_environment(CLARION_DATA=str(data), **variables), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            preexec_fn=_interruptible,  # noqa: PLW1509 - one call, no lock
        )  # fmt: skip
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        if not self._ready.wait(START_S) or self.process.poll() is not None:
            self.process.kill()
            raise AssertionError(f"it did not start:\n{self.printed}")

    @property
    def printed(self) -> str:
        return "\n".join(self.lines)

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> httpx.Response:
        return httpx.get(self.url + path, headers=headers, timeout=START_S)

    def stop(self, number: int = signal.SIGINT) -> tuple[int, float]:
        """Send a signal; return exit code and seconds."""
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(START_S)
        self._reader.join(START_S)
        return code, time.monotonic() - began

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())
            if "Ctrl-C" in line:
                self._ready.set()
        self._ready.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(START_S)
