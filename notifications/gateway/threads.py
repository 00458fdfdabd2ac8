"""Queries on threads of the gateway's own, never on the one that everything shares.

Sessions and the gateway itself have separate ones: thousands of clients who come back at
once must not keep it from looking, repairing and writing.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from django.db import close_old_connections

from events.breakers import demand_database

T = TypeVar("T")
_gateway = ThreadPoolExecutor(3, thread_name_prefix="gateway")
_sessions = ThreadPoolExecutor(4, thread_name_prefix="gateway-session")


async def query(work: Callable[..., T], *args: Any) -> T:
    """Run a query of the gateway's."""
    return await _run(_gateway, work, *args)


async def session_query(work: Callable[..., T], *args: Any) -> T:
    """Run a query of a session's."""
    return await _run(_sessions, work, *args)


async def _run(executor: Executor, work: Callable[..., T], *args: Any) -> T:
    demand_database()  # rather than wait behind threads that wait for a database that is away
    return await asyncio.get_running_loop().run_in_executor(executor, partial(_connected, work, *args))


def _connected(work: Callable[..., T], *args: Any) -> T:
    """Drop a broken connection before it is met, and give a pool's back at once."""
    close_old_connections()
    try:
        return work(*args)
    finally:
        close_old_connections()
