"""Stopping goes in order, and is over in time whatever hangs."""

import signal
import socket
import threading
from pathlib import Path

import pytest

from config.embedded import stopping
from tests.config.processes import STOP_S, Up

PATIENCE_S = 10


def test_every_step_is_taken_whatever_fails_before_it() -> None:
    taken = []

    def fail() -> None:
        taken.append("fails")
        raise ValueError("a worker that does not stop")

    stopping.stop_all([("worker", fail), ("append", lambda: taken.append("append"))])
    assert taken == ["fails", "append"]


def test_who_takes_too_long_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "DEADLINE_S", 0.01)
    ended, codes = threading.Event(), []
    deadline = stopping.Deadline(end=lambda code: (codes.append(code), ended.set()))  # type: ignore[arg-type, func-returns-value]
    assert not ended.wait(0.05)
    deadline.begin()
    assert ended.wait(PATIENCE_S)
    assert codes == [1]


def test_the_deadline_is_within_the_promise() -> None:
    assert stopping.DEADLINE_S < STOP_S


@pytest.mark.embedded
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
def test_a_server_ends_in_time_while_a_client_neither_reads_nor_hangs_up(
    tmp_path: Path, number: signal.Signals
) -> None:
    with Up(tmp_path, "--no-demo") as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"GET /api/schema/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        code, seconds = server.stop(number)
        assert code == 0
        assert seconds < STOP_S
        assert "Clarion has stopped." in server.printed
