"""Django's PostgreSQL backend; while the database is away, whoever wants a connection hears so at once."""

import os
import socket
from time import monotonic
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from django.db.backends.postgresql.psycopg_any import IsolationLevel
from psycopg_pool import PoolClosed, PoolTimeout

from config.postgres import cutting
from events.breakers import AWAY, DATABASE

SLICE_S = 0.25
"""Who waits for the pool looks up so often: the database may have gone meanwhile."""


class DatabaseAway(psycopg.OperationalError):
    """Nobody has tried: the database is known to be away. Django makes its own OperationalError of it."""


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection whose beginning passes the breaker; what breaks later is met by the next beginning."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Connect.

        Raises:
            DatabaseAway: the database is known to be away; it took no time to say so.
            psycopg.OperationalError: it is found to be away now.
        """
        ticket = DATABASE.admit()
        if ticket is None:
            raise DatabaseAway(AWAY)
        try:
            made = self._from_pool() if self.pool else super().get_new_connection(conn_params)
        except (PoolTimeout, PoolClosed, DatabaseAway):
            raise  # all connections are in use, which is no fault of the database's
        except psycopg.OperationalError as error:
            DATABASE.failed(ticket, error)
            raise
        DATABASE.succeeded(ticket)
        cutting.remember(made)
        return made

    def cut(self) -> None:
        """Break this connection, so that the server rolls back what its thread has under way.

        Called on another thread, when this one hangs. What it tries later fails as if the server had gone.
        """
        made = self.connection
        if made is None or made.closed:
            return
        with socket.socket(fileno=os.dup(made.pgconn.socket)) as ours:
            ours.shutdown(socket.SHUT_RDWR)

    def _from_pool(self) -> Any:
        """Wait for the pool in slices: it cannot tell a dead database from too many callers."""
        pool = self.pool
        pool.open()
        self.isolation_level = IsolationLevel.READ_COMMITTED
        end = monotonic() + pool.timeout
        while True:
            try:
                return pool.getconn(timeout=max(0.01, min(SLICE_S, end - monotonic())))
            except PoolTimeout:
                if not DATABASE.is_closed:
                    raise DatabaseAway(AWAY) from None
                if monotonic() >= end:
                    raise
                DATABASE.doubt()


def _renew_pools() -> None:
    """Drop what the outage has broken: the pool would try one dead connection a second."""
    pools: dict[str, Any] = base.DatabaseWrapper._connection_pools  # type: ignore[attr-defined]
    for pool in list(pools.values()):
        if not pool.closed:
            pool.drain()


DATABASE.on_close.append(_renew_pools)
