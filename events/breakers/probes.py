"""How each dependency is asked whether it is there: a whole round trip, in bounded time."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis as redis_py
from celery import current_app
from django.conf import settings
from django.db import connections
from kombu import Connection, Queue
from redis.backoff import NoBackoff
from redis.retry import Retry

CONNECT_S = 2
"""libpq knows no shorter one; the others need none."""
ROUND_TRIP_S = 1.5


class Silent(Exception):
    """It takes connections, and confirms nothing."""


def new_database_connection() -> Any:
    """Return a connection that belongs to no pool and to no thread.

    Raises:
        psycopg.OperationalError: the database does not answer within 2 s.
    """
    import psycopg  # noqa: PLC0415 - the embedded mode does without

    parameters = connections["default"].get_connection_params()
    return psycopg.connect(**parameters | {"connect_timeout": CONNECT_S, "autocommit": True})


def database() -> None:
    """Log in: a server that is frozen or starting up does not let anybody in."""
    new_database_connection().close()


def redis(timeout_s: float = 1.0) -> None:
    """Ask for a pong."""
    with redis_client(timeout_s) as client:
        client.ping()


def redis_client(timeout_s: float) -> redis_py.Redis:
    """Return a client that waits for so long at most, each time, and tries once."""
    return redis_py.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=timeout_s,
        socket_connect_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )


def broker() -> None:
    """Send a message to a queue of our own and get it back: one that is blocked takes it and confirms nothing.

    Raises:
        Silent: it did not come back within 1.5 s.
    """
    with broker_connection() as connection:
        round_trip(connection)


@contextmanager
def broker_connection(**options: Any) -> Iterator[Connection]:
    """Log in to the broker, apart from every pool; each wait is bounded. ``options`` are the transport's.

    Raises:
        OSError, KombuError, AMQPError, RedisError: it does not let us in within some seconds.
    """
    with current_app.connection_for_write(
        connect_timeout=CONNECT_S, transport_options=_impatient() | options
    ) as connection:
        try:
            connection.ensure_connection(max_retries=1, timeout=CONNECT_S)
            yield connection
        except Exception:
            connection.collect(socket_timeout=0.1)  # a polite end would wait for the same broker again
            raise


def round_trip(connection: Connection) -> float:
    """Send a message and get it back; return the seconds that it took.

    Raises:
        Silent: it did not come back within 1.5 s.
    """
    began = time.monotonic()
    name = f"{settings.CLARION_PREFIX}clarion-probe-{uuid.uuid4().hex}"
    queue: Any = Queue(name, exclusive=True, auto_delete=True, durable=False)(connection.default_channel)
    queue.declare()
    connection.Producer().publish({"probe": name}, routing_key=name, delivery_mode=1)
    while time.monotonic() < began + ROUND_TRIP_S:
        if queue.get(no_ack=True) is not None:
            queue.delete()
            return time.monotonic() - began
        time.sleep(0.01)
    raise Silent(f"a message did not come back within {ROUND_TRIP_S} s")


def _impatient() -> dict[str, Any]:
    """Return the transport's options, with time-outs for a probe and without what trips the breaker."""
    given = getattr(settings, "CELERY_BROKER_TRANSPORT_OPTIONS", {})
    bounded = dict.fromkeys(given.keys() & {"read_timeout", "write_timeout", "socket_timeout"}, CONNECT_S)
    return {**bounded, **dict.fromkeys(given.keys() & {"on_blocked"}, None)}
