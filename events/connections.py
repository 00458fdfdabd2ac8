"""Database connections of those who wait."""

from django.db import connection


def give_back() -> None:
    """Return this thread's connection to its pool, where there is one.

    Done before waiting for others' work: callers who wait would otherwise starve the one
    who works for them (measured for the design).
    """
    if connection.settings_dict["OPTIONS"].get("pool"):
        connection.close()
