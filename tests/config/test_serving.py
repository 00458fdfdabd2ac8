"""The server's stop, as far as one process can tell; the rest is in the deployment's and the gateway's tests."""

import asyncio

from config import serving
from events.stopping import STOPPING


def test_a_server_that_stops_tells_whatever_works_beside_it() -> None:
    server = serving.DrainingServer(application=None, endpoints=["tcp:0"])
    server.connections = {}

    async def stop() -> None:
        server.kill_all_applications()

    assert not STOPPING.is_set()
    try:
        asyncio.run(stop())
        assert STOPPING.is_set()
    finally:
        STOPPING.clear()
