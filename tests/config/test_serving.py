"""The server's stop, as far as one process can tell; the rest is in the tests of real processes."""

import asyncio
import os

import pytest
from pytest_django import Settings

from config import serving
from events.stopping import Stopping


def test_a_server_that_stops_tells_whatever_works_beside_it(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, stopping: Stopping
) -> None:
    settings.CLARION_DRAIN_DELAY = 0.0
    for name in ("Deadline", "at_once_when_told_again"):  # they would be this process's
        monkeypatch.setattr(serving, name, lambda *_: _Nothing())
    server = serving.DrainingServer(application=None, endpoints=["tcp:0"])
    server.connections = {}
    monkeypatch.setattr(server, "waits_for_clients", lambda: False)

    async def stop() -> None:
        await server.kill_all_applications().asFuture(asyncio.get_running_loop())

    assert not stopping.is_set()
    asyncio.run(stop())
    assert stopping.is_set()


class _Nothing:
    def begin(self) -> None:
        pass


def test_children_see_that_their_parent_was_told() -> None:
    stopping, (reads, writes) = Stopping(), os.pipe()
    child = os.fork()
    if not child:
        os.read(reads, 1)
        os._exit(7 if stopping.is_set() else 1)
    assert not stopping.is_set()
    stopping.set()
    os.write(writes, b".")
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
