"""Leaving goes in order, is over in time whatever hangs, and at once when told a second time."""

import signal
import socket
import threading
from pathlib import Path

import pytest

from config import draining, leaving, serving
from config.embedded import server as embedded
from config.management.commands import up
from tests.config.processes import STOP_S, Up

PATIENCE_S = 10


def test_every_step_is_taken_whatever_fails_before_it() -> None:
    taken = []

    def fail() -> None:
        taken.append("fails")
        raise ValueError("a worker that does not stop")

    leaving.stop_all([("worker", fail), ("append", lambda: taken.append("append"))])
    assert taken == ["fails", "append"]


def test_who_takes_too_long_is_ended() -> None:
    ended, codes = threading.Event(), []
    deadline = leaving.Deadline(0.01, end=lambda code: (codes.append(code), ended.set()))  # type: ignore[arg-type, func-returns-value]
    assert not ended.wait(0.05)
    deadline.begin()
    assert ended.wait(PATIENCE_S)
    assert codes == [1]


def test_the_deadlines_are_within_the_promises_and_leave_time_for_what_is_cut_off() -> None:
    assert embedded.FINISH_S + draining.FLUSH_S + up.WORKER_S + up.BESIDE_S < embedded.LEAVE_S < STOP_S
    assert serving.FINISH_S + draining.FLUSH_S + serving.BESIDE_S < serving.LEAVE_S < 30


def test_one_word_that_is_passed_on_twice_is_one_word() -> None:
    now = [100.0]
    told = leaving.Told(lambda: now[0])
    assert not told.again()
    now[0] += leaving.SAME_S / 2
    assert not told.again()
    now[0] += leaving.SAME_S
    assert told.again()


def test_what_works_beside_is_waited_for_and_not_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaving, "_beside", [])
    go = threading.Event()
    threads = [threading.Thread(target=go.wait, args=(PATIENCE_S,), daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    leaving.beside(threads)
    leaving.join_beside(0.01)
    assert threads[0].is_alive()
    go.set()
    leaving.join_beside(PATIENCE_S)
    assert not any(thread.is_alive() for thread in threads)


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
