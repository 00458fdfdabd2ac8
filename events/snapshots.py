"""Reading several statements as of one instant, without holding anybody up."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def snapshot() -> Iterator[None]:
    """Let every statement inside see the database as it was at the first of them.

    Keep it to seconds: an old snapshot keeps PostgreSQL from clearing away what the hot rows leave
    behind. On SQLite it is a read transaction, which takes no turn of the writers' lock.
    Writing inside is an error, and so is a transaction around it.
    """
    if connection.vendor != "sqlite":
        with transaction.atomic(durable=True), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
