"""Between processes: Redis pub/sub, published synchronously, received by one subscription per gateway."""

import asyncio
from typing import Any

import msgspec
import redis
import redis.asyncio
from prometheus_client import Counter
from redis.backoff import NoBackoff
from redis.retry import Retry

from events.breakers import REDIS
from notifications.push.transport import Message, Receive, Subscribed, Transport

PUBLISH_TIMEOUT_S = 0.25
SUBSCRIBE_TIMEOUT_S = 3.0
QUIET_S = 5.0
"""A subscription that hears nothing for so long asks; for twice as long, and it is given up as dead."""

published = Counter("clarion_push_published_total", "Messages published.")
lost = Counter(
    "clarion_push_lost_total", "Messages not published; gateways find the changes within a second."
)
unreadable = Counter(
    "clarion_push_unreadable_total", "Messages that this version cannot read, such as a newer one's."
)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


class RedisTransport(Transport):
    """One channel for all gateways; beyond some 16 of them topics by player pay."""

    def __init__(self, url: str, prefix: str) -> None:
        """Connect to nothing yet."""
        self._url = url
        self.channel = f"{prefix}clarion:push"
        self._client = redis.Redis.from_url(
            url,
            client_name=self.channel,  # operators see it in CLIENT LIST
            socket_timeout=PUBLISH_TIMEOUT_S,
            socket_connect_timeout=PUBLISH_TIMEOUT_S,
            retry=Retry(NoBackoff(), 1),  # a connection that was cut while it was idle is no outage
        )

    def publish(self, message: Message) -> None:
        """Send it, unless Redis is known to be away: no batch pays its time-out."""
        ticket = REDIS.admit()
        if ticket is None:
            lost.inc()
            return
        try:
            self._client.publish(self.channel, _encode(message))
        except (redis.RedisError, OSError) as error:
            lost.inc()
            REDIS.failed(ticket, error)
        else:
            published.inc()
            REDIS.succeeded(ticket)

    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        """Receive until cancelled or until the connection breaks or falls silent."""
        client = redis.asyncio.Redis.from_url(
            self._url,
            client_name=self.channel,
            socket_timeout=None,  # no time-out on a subscription: its silence is no fault (redis-py 8 has 5 s)
            socket_connect_timeout=SUBSCRIBE_TIMEOUT_S,
            socket_keepalive=True,
        )
        try:
            async with client.pubsub() as subscription:
                async with asyncio.timeout(SUBSCRIBE_TIMEOUT_S):
                    await subscription.subscribe(self.channel)
                await self._listen(subscription, receive, subscribed)
        finally:
            await client.aclose()

    async def _listen(self, subscription: Any, receive: Receive, subscribed: Subscribed) -> None:
        asked = False
        while True:
            entry = await subscription.get_message(timeout=QUIET_S)
            if entry is None and asked:
                raise redis.ConnectionError(f"Redis has been silent for {2 * QUIET_S:.0f} s")
            if asked := entry is None:
                await subscription.ping()
            elif entry["type"] == "subscribe":
                subscribed()
            elif entry["type"] == "message":
                _hand_over(entry["data"], receive)
                await asyncio.sleep(
                    0
                )  # reading what has come already does not wait, and would shut others out


def _hand_over(data: bytes, receive: Receive) -> None:
    """Decode a message; one that cannot be read is a lost hint, and no reason to leave the others."""
    try:
        message = _decode(data)
    except (msgspec.DecodeError, ValueError):
        unreadable.inc()
        return
    receive(message)
