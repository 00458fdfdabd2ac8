"""The broker: reached, new enough, taking a message for good and giving it back."""

from collections.abc import Iterator, Mapping

from amqp.exceptions import AMQPError
from django.conf import settings
from kombu import Connection
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from config.doctor import versions
from config.doctor.check import SERVICES, Check, Target
from config.doctor.finding import Finding, fail, ok
from config.doctor.reasons import reason
from events.breakers import probes

FAULTS = (OSError, KombuError, AMQPError, RedisError, probes.Silent)
START_IT = "start it, or correct CELERY_BROKER_URL; docs/runbook.md, Broker away"
REACHABLE = "broker.reachable"


class Reachable(Check):
    """Logs in."""

    name = REACHABLE
    patience_s = 8.0
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Log in, and read what the server says of itself."""
        try:
            with probes.broker_connection() as broker:
                told = _server(broker)
        except FAULTS as error:
            yield fail(f"the broker cannot be reached: {reason(error)}", START_IT)
            return
        if told:
            yield versions.server(told["product"], told["version"], versions.RABBITMQ_MIN)
        else:
            yield ok(f"{settings.CELERY_BROKER_URL.partition(':')[0]} answers")


class RoundTrip(Check):
    """Publishes to a queue of its own, waits for the broker's word, and consumes it."""

    name = "broker.round_trip"
    patience_s = 10.0
    needs = (REACHABLE,)
    ways = SERVICES

    def look(self, target: Target) -> Iterator[Finding]:
        """Send one message there and back; where the protocol has publisher confirms, wait for one."""
        options = {"confirm_publish": True} if is_amqp() else {}
        try:
            with probes.broker_connection(**options) as broker:
                took = round(probes.round_trip(broker) * 1000, 2)
        except FAULTS as error:
            yield fail(
                f"a message to the broker does not come back: {reason(error)}",
                "look for an alarm that blocks publishers (rabbitmqctl status: memory, disk) and for missing rights on"
                " queues (rabbitmqctl list_permissions); docs/runbook.md, Broker away",
            )
            return
        confirmed = "confirmed and consumed" if is_amqp() else "sent and consumed"
        yield ok(f"a message is {confirmed} in {took:.1f} ms", round_trip_ms=took)


def is_amqp() -> bool:
    """Tell whether the broker is RabbitMQ or one like it."""
    return "amqp" in settings.CELERY_BROKER_URL.partition(":")[0]


def _server(broker: Connection) -> Mapping[str, str]:
    """Return what an AMQP server says of itself; nothing of others."""
    told = getattr(broker.connection, "server_properties", None) or {}
    return (
        {"product": str(told.get("product", "RabbitMQ")), "version": str(told.get("version", ""))}
        if told
        else {}
    )
