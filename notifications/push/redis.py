"""Between processes: Redis pub/sub, published synchronously, received by one subscription per gateway."""

import threading
import time

import msgspec
import redis
import redis.asyncio
import structlog
from prometheus_client import Counter

from notifications.push.transport import Message, Receive, Subscribed, Transport

PUBLISH_TIMEOUT_S = 0.25
PAUSE_S = 1.0
"""For so long nothing is sent to a Redis that has failed: no batch pays its time-out."""
HEALTH_S = 5

log = structlog.get_logger(__name__)
published = Counter("clarion_push_published_total", "Messages published.")
lost = Counter(
    "clarion_push_lost_total", "Messages not published; gateways find the changes within a second."
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


class RedisTransport(Transport):
    """One channel for all gateways; beyond some 16 of them topics by player pay."""

    def __init__(self, url: str, prefix: str) -> None:
        """Connect to nothing yet."""
        self._url = url
        self._channel = f"{prefix}clarion:push"
        self._client = redis.Redis.from_url(
            url, socket_timeout=PUBLISH_TIMEOUT_S, socket_connect_timeout=PUBLISH_TIMEOUT_S
        )
        self._away_until = 0.0
        self._away = False
        self._lock = threading.Lock()

    def publish(self, message: Message) -> None:
        """Send it, unless Redis is known to be away."""
        if time.monotonic() < self._away_until:
            lost.inc()
            return
        try:
            self._client.publish(self._channel, _encode(message))
        except (redis.RedisError, OSError) as error:
            lost.inc()
            self._note(away=True, why=type(error).__name__)
        else:
            published.inc()
            self._note(away=False)

    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        """Receive until cancelled or until the connection breaks."""
        client = redis.asyncio.Redis.from_url(
            self._url,
            socket_timeout=None,
            socket_connect_timeout=2,
            socket_keepalive=True,
            health_check_interval=HEALTH_S,
        )
        try:
            async with client.pubsub(ignore_subscribe_messages=False) as subscription:
                await subscription.subscribe(self._channel)
                while True:
                    entry = await subscription.get_message(timeout=HEALTH_S)
                    if entry is None:
                        await subscription.ping()
                    elif entry["type"] == "subscribe":
                        subscribed()
                    elif entry["type"] == "message":
                        receive(_decode(entry["data"]))
        finally:
            await client.aclose()

    def _note(self, *, away: bool, why: str = "") -> None:
        """Log each change of state once."""
        with self._lock:
            changed, self._away = away != self._away, away
            self._away_until = time.monotonic() + PAUSE_S if away else 0.0
        if changed and away:
            log.warning("push.redis_away", error=why)
        elif changed:
            log.info("push.redis_back")
