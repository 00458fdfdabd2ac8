"""Circuit breakers: one for each dependency and process, so that a dead one costs nobody its time-out."""

import os
from functools import partial

from django.db import OperationalError

from events.breakers import probes
from events.breakers.breaker import Breaker, Status
from events.breakers.circuit import Circuit, State, Ticket

__all__ = [
    "BROKER",
    "DATABASE",
    "RATE_LIMITS",
    "REDIS",
    "Breaker",
    "Circuit",
    "State",
    "Status",
    "Ticket",
    "broker_is_blocked",
    "demand_database",
    "forget",
    "statuses",
]

RATE_LIMIT_TIMEOUT_S = 0.05
"""Rate limits are asked for on the event loop, so a Redis that takes longer counts as away for them."""
AWAY = "the database is away; it is asked again within 2 s"

DATABASE = Breaker("database", probes.database)
BROKER = Breaker("broker", probes.broker)
REDIS = Breaker("redis", probes.redis)
RATE_LIMITS = Breaker("rate limits", partial(probes.redis, RATE_LIMIT_TIMEOUT_S))
_ALL = (DATABASE, BROKER, REDIS, RATE_LIMITS)


def statuses() -> list[Status]:
    """Return what this process knows of each dependency."""
    return [breaker.status() for breaker in _ALL]


def broker_is_blocked(_reason: str) -> None:
    """Take the broker as away: under an alarm RabbitMQ reads nothing more from whoever publishes."""
    BROKER.trip("blocked")


def demand_database() -> None:
    """Refuse at once what would only wait for a database that is away.

    Raises:
        django.db.OperationalError: it is; ``events.faults`` counts it as passing.
    """
    if not DATABASE.is_closed:
        raise OperationalError(AWAY)


def forget() -> None:
    """Take every dependency to be there."""
    for breaker in _ALL:
        breaker.reset()


os.register_at_fork(after_in_child=forget)
