"""Clocks: what expires in seconds, and players' tokens, need machines that agree on the time."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from config.doctor.check import SERVICES, Check, Target
from config.doctor.finding import Finding, fail, ok, warn
from config.doctor.redis import client
from config.watch.kinds import KINDS
from config.watch.rules.machinery import database_skew_s, outside

WARN_S = KINDS["clock"].limit / 4
FAIL_S = KINDS["clock"].limit
"""The alarm's own limit."""
ADVICE = "make every machine follow the same time servers (timedatectl status); docs/runbook.md, Clock skew"


class DatabaseClock(Check):
    """The database server's clock against ours."""

    name = "clocks.database"
    needs = ("database.reachable",)
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask for the time."""
        yield judged("the database server", database_skew_s())


class RedisClock(Check):
    """The Redis server's clock against ours."""

    name = "clocks.redis"
    needs = ("redis.reachable",)
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask for the time."""
        with client() as redis:
            before = datetime.now(UTC)
            seconds, microseconds = redis.time()
            after = datetime.now(UTC)
        theirs = datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=microseconds)
        yield judged("the Redis server", outside(theirs, before, after))


def judged(whose: str, skew_s: float, doubt_s: float = 0.0) -> Finding:
    """Judge by how many seconds two clocks differ at least; ``doubt_s`` is how exactly that is known."""
    told, values = f"the clocks of {whose} and of this machine differ", {"skew_s": round(skew_s, 3)}
    if skew_s > FAIL_S:
        return fail(f"{told} by {skew_s:.1f} s", ADVICE, **values)
    if skew_s > WARN_S:
        return warn(f"{told} by {skew_s:.1f} s", ADVICE, **values)
    exactly = ", as far as a second tells" if doubt_s >= 1 else ""
    return ok(f"the clocks of {whose} and of this machine agree{exactly}", **values)
