"""Redis in bad weather: publishing gives up at once, subscriptions notice silence, and idle ones live."""

import asyncio
import itertools
import logging
import socket
import uuid
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
import pytest
import redis
import redis.asyncio
from django.conf import settings

from events.breakers.breaker import Breaker
from notifications.push import publishing
from notifications.push import redis as push
from notifications.push.redis import RedisTransport
from notifications.push.transport import Announced, Change, Changes, Message
from tests.config.processes import free_port
from tests.notifications.push.proxy import Proxy

PATIENCE_S = 20
LATER_S = 10.0
"""Longer than a breaker is ever open."""
MESSAGE = Announced(1, 0, 1, "{}")


def counted(counter: push.Counter) -> float:
    return float(counter._value.get())


@pytest.fixture
def nobody() -> RedisTransport:
    """A transport to a port that refuses."""
    return RedisTransport(f"redis://127.0.0.1:{free_port()}/0", "")


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


# -- publishing ------------------------------------------------------------------------------------------


def test_a_redis_that_is_away_raises_nothing_and_counts_what_is_lost(nobody: RedisTransport) -> None:
    before = counted(push.lost)
    nobody.publish(MESSAGE)
    assert counted(push.lost) == before + 1


def test_a_redis_that_is_away_is_left_alone_for_a_while(
    nobody: RedisTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[bytes] = []

    def fails(_channel: str, message: bytes) -> int:
        tries.append(message)
        raise redis.ConnectionError

    now = [100.0]
    monkeypatch.setattr(push, "REDIS", Breaker("redis", clock=lambda: now[0]))
    monkeypatch.setattr(nobody._client, "publish", fails)
    for _ in range(5):
        nobody.publish(MESSAGE)
    assert len(tries) == 1
    now[0] += LATER_S
    nobody.publish(MESSAGE)
    assert len(tries) == 2


def test_each_change_of_the_weather_is_told_once(
    nobody: RedisTransport, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    weather = [redis.ConnectionError, redis.TimeoutError, None, None, OSError]

    def publish(*_: object) -> int:
        if (fault := weather.pop(0)) is not None:
            raise fault
        return 1

    now = itertools.count(100, LATER_S)
    monkeypatch.setattr(push, "REDIS", Breaker("redis", clock=lambda: next(now)))
    monkeypatch.setattr(nobody._client, "publish", publish)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            nobody.publish(MESSAGE)
    told = [record.msg["event"] for record in caplog.records if isinstance(record.msg, dict)]
    assert told == ["breaker.opened", "breaker.closed", "breaker.opened"]


def test_publishing_has_a_time_out_of_its_own_and_one_retry_at_most(silent_port: int) -> None:
    """A redis-py that retries as often as newer ones do would make the first batch wait for seconds."""
    client = RedisTransport(f"redis://127.0.0.1:{silent_port}/0", "")._client
    connection = client.connection_pool.make_connection()
    assert connection.socket_timeout == connection.socket_connect_timeout == push.PUBLISH_TIMEOUT_S <= 0.5
    assert connection.retry.get_retries() <= 1
    before = counted(push.lost)
    RedisTransport(f"redis://127.0.0.1:{silent_port}/0", "").publish(MESSAGE)
    assert counted(push.lost) == before + 1


def test_a_batch_is_one_message(nobody: RedisTransport, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, bytes]] = []
    monkeypatch.setattr(nobody._client, "publish", lambda *message: sent.append(message))
    publishing.use(nobody)
    try:
        publishing.publish([Change(player, 0, 1, "{}") for player in range(100)])
        publishing.publish([])
    finally:
        publishing.use(None)
    ((channel, message),) = sent
    assert channel == nobody.channel
    decoded = msgspec.msgpack.decode(message, type=Message)
    assert isinstance(decoded, Changes)
    assert len(decoded.changes) == 100


def test_deployments_that_share_a_redis_hear_only_their_own() -> None:
    channels = {RedisTransport("redis://127.0.0.1/0", prefix).channel for prefix in ("", "blue-", "green-")}
    assert len(channels) == 3


# -- what comes in ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [b"", b"\xc1", b"\x92\xa1z\x01", b"\x93\xa1c\xc0\xc0", b"hello"], ids=range(5)
)
def test_a_message_that_cannot_be_read_is_a_lost_hint_and_nothing_worse(data: bytes) -> None:
    received: list[Message] = []
    before = counted(push.unreadable)
    push._hand_over(data, received.append)
    assert (received, counted(push.unreadable)) == ([], before + 1)


def test_what_a_newer_version_has_added_at_the_end_is_ignored() -> None:
    """Versions meet while a deployment is replaced."""
    received: list[Message] = []
    push._hand_over(msgspec.msgpack.encode(["a", 1, 0, 1, "{}", 0, "something new"]), received.append)
    assert received == [MESSAGE]


# -- subscriptions ---------------------------------------------------------------------------------------


async def test_a_redis_that_never_answers_is_given_up(
    silent_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "SUBSCRIBE_TIMEOUT_S", 0.05)
    subscription = RedisTransport(f"redis://127.0.0.1:{silent_port}/0", "").run(print, print)
    with pytest.raises((TimeoutError, redis.RedisError)):
        await asyncio.wait_for(subscription, PATIENCE_S)


@pytest.mark.services
async def test_a_subscription_whose_network_froze_is_given_up_and_a_quiet_one_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing tells of a machine that is gone without a word, unless somebody asks."""
    monkeypatch.setattr(push, "QUIET_S", 0.1)
    port = urlsplit(settings.REDIS_URL).port or 6379
    async with Proxy(port) as network:
        subscribed = asyncio.Event()
        running = asyncio.create_task(
            RedisTransport(network.url, f"test-{uuid.uuid4()}-").run(lambda _message: None, subscribed.set)
        )
        await asyncio.wait_for(subscribed.wait(), PATIENCE_S)
        done, _ = await asyncio.wait([running], timeout=1.0)  # ten times QUIET_S: it asks, and is answered
        assert not done
        network.freezes()
        with pytest.raises(redis.ConnectionError, match="silent"):
            await asyncio.wait_for(running, PATIENCE_S)


async def test_a_subscription_has_no_time_out_for_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """redis-py 8 has one of 5 seconds unless it is told otherwise, and idle sockets would die one by one."""
    made: list[dict[str, object]] = []
    original = redis.asyncio.Redis.from_url

    def from_url(url: str, **options: object) -> redis.asyncio.Redis:
        made.append(options)
        return original(url, **options)

    monkeypatch.setattr(redis.asyncio.Redis, "from_url", from_url)
    with pytest.raises(redis.ConnectionError):
        await RedisTransport(f"redis://127.0.0.1:{free_port()}/0", "").run(print, print)
    (options,) = made
    assert options["socket_timeout"] is None
    assert options["socket_connect_timeout"]


@pytest.mark.services
async def test_an_idle_subscription_outlives_half_a_minute() -> None:
    transport = RedisTransport(settings.REDIS_URL, f"test-{uuid.uuid4()}-")
    subscribed, received = asyncio.Event(), asyncio.Event()
    running = asyncio.create_task(transport.run(lambda _message: received.set(), subscribed.set))
    await asyncio.wait_for(subscribed.wait(), PATIENCE_S)
    done, _ = await asyncio.wait([running], timeout=31)  # longer than any time-out that redis-py has had
    assert not done
    await asyncio.to_thread(transport.publish, MESSAGE)
    await asyncio.wait_for(received.wait(), PATIENCE_S)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
