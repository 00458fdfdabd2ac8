"""PostgreSQL over a failing connection: full disks, deadlocks, and commits of which nobody hears.

The server itself raises the errors, with their SQLSTATE, inside the transaction; lost commits
are a connection that ends just before or just after the commit.
"""

from typing import Any

from django.db import OperationalError

from config.postgres import base
from tests.chaos.broken.switch import dice, on, tell

FAILS = 0.01
"""So many of the statements inside transactions."""
LOST = 0.03
"""So many of the commits."""
STATES = ("53100", "40P01")


class DatabaseWrapper(base.DatabaseWrapper):
    """Fails now and then while it is asked to."""

    def ensure_connection(self) -> None:
        """Fail in the place of a statement: everything that sends one asks for the connection before."""
        super().ensure_connection()
        if self.in_atomic_block and self.connection is not None and dice() < FAILS and on("database"):
            state = STATES[int(dice() * len(STATES))]
            tell(state)
            with self.wrap_database_errors:
                self.connection.execute(f"DO $$ BEGIN RAISE SQLSTATE '{state}'; END $$")

    def _commit(self) -> Any:
        if self.connection is None or dice() >= LOST or not on("database"):
            return super()._commit()
        happens = dice() < 0.5  # and nobody hears of it
        if happens:
            super()._commit()
        tell("after" if happens else "before")
        self.connection.close()
        raise OperationalError("the connection was lost at commit")
