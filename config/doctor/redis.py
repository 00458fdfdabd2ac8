"""Redis: reached, new enough, carrying messages both ways, heard by every gateway, and with room."""

import secrets
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import redis as redis_py
from django.conf import settings

from config.doctor import versions
from config.doctor.check import SERVICES, Check, Target
from config.doctor.finding import Finding, Value, fail, ok, warn
from config.doctor.reasons import reason
from config.watch.rules.machinery import in_bytes
from events.breakers import probes
from notifications.push.redis import RedisTransport
from players.models import Gateway

TIMEOUT_S = 2.0
SLOW_MS = 20.0
FULL = 0.9
START_IT = "start it, or correct REDIS_URL; docs/runbook.md, Redis away"
REACHABLE = "redis.reachable"


class Reachable(Check):
    """Connects, asks, and takes the time."""

    name = REACHABLE
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask for a pong, and for the version."""
        try:
            with client() as redis:
                redis.ping()
                began = time.perf_counter()
                redis.ping()
                took = round((time.perf_counter() - began) * 1000, 2)
                info: Any = redis.info("server")
        except (redis_py.RedisError, OSError) as error:
            yield fail(f"Redis cannot be reached: {reason(error)}", START_IT)
            return
        if took > SLOW_MS:
            yield warn(
                f"Redis answers in {took:.1f} ms; rate limits are asked for at each request",
                f"bring it nearer: below {SLOW_MS:.0f} ms, better below 1 ms",
                round_trip_ms=took,
            )
        else:
            yield ok(f"Redis answers in {took:.2f} ms", round_trip_ms=took)
        yield versions.server("Redis", str(info.get("redis_version", "")), (versions.REDIS_MIN,))


class PubSub(Check):
    """Publishes on a channel of its own, and receives it."""

    name = "redis.pubsub"
    needs = (REACHABLE,)
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Send one message from one connection to another."""
        channel, token = (
            f"{settings.CLARION_PREFIX}clarion:doctor:{secrets.token_hex(4)}",
            secrets.token_hex(8),
        )
        try:
            with client() as sender, client() as receiver, receiver.pubsub() as subscription:
                subscription.subscribe(channel)
                _next(subscription, "subscribe")
                began = time.perf_counter()
                sender.publish(channel, token)
                heard = _next(subscription, "message")
                took = round((time.perf_counter() - began) * 1000, 2)
        except (redis_py.RedisError, OSError) as error:
            yield fail(
                f"Redis does not carry messages: {reason(error)}",
                "allow Clarion's user PUBLISH and SUBSCRIBE on its channels (ACL); no proxy between may lack pub/sub",
            )
            return
        if heard is None or heard["data"] != token.encode():
            yield fail(
                f"a message that was published did not come back within {TIMEOUT_S:.0f} s",
                "let REDIS_URL lead to one server, not to a proxy or replica without pub/sub",
            )
        else:
            yield ok(f"a message that was published comes back in {took:.2f} ms", round_trip_ms=took)


class Gateways(Check):
    """Whether every gateway that holds a lease hears what is pushed."""

    name = "redis.gateways"
    needs = (REACHABLE, "database.migrations")
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Count subscriptions to the channel of pushes, and leases."""
        channel = RedisTransport(settings.REDIS_URL, settings.CLARION_PREFIX).channel
        with client() as redis:
            subscribed = int(redis.pubsub_numsub(channel)[0][1])
        leased = Gateway.objects.filter(lease_until__gt=datetime.now(UTC)).count()
        values = {"subscribed": subscribed, "gateways": leased}
        if subscribed < leased:
            yield warn(
                f"{leased} gateways live, and {subscribed} listen to Redis: pushes of the others take a second",
                "look whether all web processes have the same REDIS_URL and CLARION_PREFIX; a restart subscribes"
                " anew",
                **values,
            )
        else:
            yield ok(f"{subscribed} processes listen to pushes, {leased} gateways hold sockets", **values)


class Memory(Check):
    """What Redis does when its memory is full."""

    name = "redis.memory"
    needs = (REACHABLE,)
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Read policy and use."""
        with client() as redis:
            info: Any = redis.info("memory")
        policy, most, used = (
            info.get("maxmemory_policy", ""),
            int(info.get("maxmemory", 0)),
            int(info["used_memory"]),
        )
        told = f"{in_bytes(used)} used" + (
            f" of {in_bytes(most)}, then {policy}" if most else ", no limit set"
        )
        values: dict[str, Value] = {"used_bytes": used, "most_bytes": most, "policy": str(policy)}
        if most and settings.CELERY_BROKER_URL.startswith("redis") and policy not in {"", "noeviction"}:
            yield warn(
                f"{told}: when it is full, wake-ups of the broker may be thrown away",
                "CONFIG SET maxmemory-policy noeviction, where Redis is the broker too",
                **values,
            )
        elif most and used > FULL * most:
            yield warn(
                f"{told}: nearly full",
                "raise maxmemory, or look what else is kept there: Clarion needs a few MiB",
                **values,
            )
        else:
            yield ok(told, **values)


def client() -> redis_py.Redis:
    """Return a client whose every wait is bounded."""
    return probes.redis_client(TIMEOUT_S)


def _next(subscription: Any, kind: str) -> Any:
    """Return the next message of a kind; None when none comes in time."""
    end = time.monotonic() + TIMEOUT_S
    while (left := end - time.monotonic()) > 0:
        message = subscription.get_message(timeout=left)
        if message and message["type"] == kind:
            return message
    return None
