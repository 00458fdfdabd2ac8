"""Which way Clarion runs, and the refusal to become SQLite by a forgotten variable.

``DATABASE_URL`` set means services. Not set means embedded, which only two entries may
start: ``manage.py up`` and the tests. They say so in ``CLARION_ENTRY`` before Django loads.
"""

from django.core.exceptions import ImproperlyConfigured

EMBEDDED_ENTRIES = frozenset({"up", "tests"})
ROLES = frozenset({"web", "worker", "command"})
"""``web`` is set by config.asgi, ``worker`` by config.celery; every other process is a command."""
NAMES = {"web": "the ASGI application", "worker": "a Celery process"}


def refuse_by_accident(role: str, *, services: bool, entry: str) -> None:
    """Stop a server or worker that would run on SQLite because nobody named a database.

    Raises:
        ImproperlyConfigured: DATABASE_URL is not set, and neither ``up`` nor a test runs.
    """
    if role in NAMES and not services and entry not in EMBEDDED_ENTRIES:
        raise ImproperlyConfigured(
            f"{NAMES[role]} needs DATABASE_URL, such as postgres://clarion@db/clarion. Without it Clarion"
            " runs embedded, on SQLite, and only by: manage.py up"
        )


def known_role(role: str) -> str:
    """Return the role.

    Raises:
        ImproperlyConfigured: there is no such role.
    """
    if role not in ROLES:
        raise ImproperlyConfigured(f"CLARION_ROLE is {role!r}; it must be one of {', '.join(sorted(ROLES))}")
    return role


def refuse_other_databases(engine: str) -> None:
    """Stop when DATABASE_URL names anything but PostgreSQL.

    Raises:
        ImproperlyConfigured: it does.
    """
    if engine != "django.db.backends.postgresql":
        raise ImproperlyConfigured(
            f"DATABASE_URL names {engine or 'no known database'}; services mode runs on PostgreSQL,"
            " such as: postgres://clarion:password@db:5432/clarion"
        )
