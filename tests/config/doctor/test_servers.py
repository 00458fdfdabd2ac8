"""Redis and the broker: healthy ones, those that are not there, and those that are silent."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest
from pytest_django import Settings

from config.doctor import broker, clocks, redis
from config.doctor.finding import Level
from events.breakers import probes
from notifications.push.redis import RedisTransport
from players.models import Gateway
from tests.config.doctor.conftest import NOBODY, SECRET, looked

pytestmark = pytest.mark.services


class Fake:
    """A Redis that says what a test wants to hear."""

    def __init__(self, **said: Any) -> None:
        self._said = said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *_: self._said[name]


def test_a_healthy_redis_answers_carries_messages_and_has_room() -> None:
    for check in (redis.Reachable(), redis.PubSub(), redis.Memory(), clocks.RedisClock()):
        assert {each.level for each in looked(check)} == {Level.OK}, check.name


@pytest.mark.parametrize("check", [redis.Reachable, redis.PubSub])
def test_a_redis_that_is_not_there_fails_with_why_and_no_password(settings: Settings, check: Any) -> None:
    settings.REDIS_URL = f"redis://:{SECRET}@127.0.0.1:{NOBODY}/0"
    (found,) = looked(check())
    assert found.level is Level.FAIL
    assert "nothing listens there" in found.text
    assert SECRET not in found.text + found.advice


def test_a_redis_that_says_nothing_is_given_up(settings: Settings, silent: Callable[[], int]) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{silent()}/0"
    (found,) = looked(redis.Reachable())
    assert (found.level, "did not answer in time" in found.text) == (Level.FAIL, True)


def test_a_wrong_password_is_told_as_such(settings: Settings) -> None:
    settings.REDIS_URL = f"redis://nobody:{SECRET}@127.0.0.1:6379/0"
    (found,) = looked(redis.Reachable())
    assert (found.level, "the password is wrong" in found.text) == (Level.FAIL, True)
    assert SECRET not in found.text


def test_a_redis_that_is_too_old_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "client", lambda: Fake(ping=True, info={"redis_version": "6.2.1"}))
    assert looked(redis.Reachable())[1].level is Level.FAIL


def test_a_message_that_does_not_come_back_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis, "_next", lambda _subscription, _kind: None)
    (found,) = looked(redis.PubSub())
    assert (found.level, "did not come back" in found.text) == (Level.FAIL, True)


@pytest.mark.django_db
def test_a_gateway_that_does_not_listen_is_a_warning(settings: Settings) -> None:
    now = datetime.now(UTC)
    Gateway.objects.create(
        id="00000000-0000-4000-8000-000000000001", host="a", started=now, lease_until=now + timedelta(hours=1)
    )
    (found,) = looked(redis.Gateways())
    assert (found.level, found.values) == (Level.WARN, {"subscribed": 0, "gateways": 1})
    with redis.client() as listener, listener.pubsub() as subscription:
        subscription.subscribe(RedisTransport(settings.REDIS_URL, settings.CLARION_PREFIX).channel)
        subscription.get_message(timeout=5)
        assert looked(redis.Gateways())[0].level is Level.OK


@pytest.mark.parametrize(
    ("broker_url", "memory", "level"),
    [
        (
            "amqp://rabbitmq",
            {"maxmemory": 100, "used_memory": 50, "maxmemory_policy": "allkeys-lru"},
            Level.OK,
        ),
        (
            "redis://redis",
            {"maxmemory": 100, "used_memory": 50, "maxmemory_policy": "allkeys-lru"},
            Level.WARN,
        ),
        ("redis://redis", {"maxmemory": 100, "used_memory": 50, "maxmemory_policy": "noeviction"}, Level.OK),
        (
            "amqp://rabbitmq",
            {"maxmemory": 100, "used_memory": 95, "maxmemory_policy": "noeviction"},
            Level.WARN,
        ),
    ],
)
def test_a_memory_that_fills_or_throws_wake_ups_away_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, settings: Settings, broker_url: str, memory: dict[str, Any], level: Level
) -> None:
    settings.CELERY_BROKER_URL = broker_url
    monkeypatch.setattr(redis, "client", lambda: Fake(info=memory))
    assert looked(redis.Memory())[0].level is level


def test_a_redis_whose_clock_is_wrong_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = datetime.now(UTC).timestamp() - 300
    monkeypatch.setattr(clocks, "client", lambda: Fake(time=(int(wrong), 0)))
    (found,) = looked(clocks.RedisClock())
    assert found.level is Level.FAIL
    assert float(str(found.values["skew_s"])) > 299


def test_a_healthy_broker_confirms_and_gives_back() -> None:
    assert {each.level for each in looked(broker.Reachable())} == {Level.OK}
    (found,) = looked(broker.RoundTrip())
    assert (found.level, "confirmed and consumed" in found.text) == (Level.OK, True)


def test_it_asks_for_the_broker_s_confirmation(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    real = probes.broker_connection

    def connection(**options: Any) -> Any:
        asked.append(options)
        return real(**options)

    monkeypatch.setattr(probes, "broker_connection", connection)
    looked(broker.RoundTrip())
    assert asked == [{"confirm_publish": True}]


@pytest.fixture
def broker_at(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let the broker be looked for at another port, with a password that must not be told."""

    def at(port: int) -> None:
        monkeypatch.setattr(
            probes.current_app.conf, "broker_write_url", f"amqp://guest:{SECRET}@127.0.0.1:{port}//"
        )

    return at


@pytest.mark.parametrize("check", [broker.Reachable, broker.RoundTrip])
def test_a_broker_that_is_not_there_fails_with_why_and_no_password(
    broker_at: Callable[[int], None], check: Any
) -> None:
    broker_at(NOBODY)
    (found,) = looked(check())
    assert found.level is Level.FAIL
    assert "nothing listens there" in found.text
    assert SECRET not in found.text + found.advice


def test_a_broker_that_says_nothing_is_given_up(
    broker_at: Callable[[int], None], silent: Callable[[], int]
) -> None:
    broker_at(silent())
    (found,) = looked(broker.Reachable())
    assert found.level is Level.FAIL


def test_a_broker_that_takes_messages_and_gives_none_back_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(_connection: Any) -> float:
        raise probes.Silent("a message did not come back within 1.5 s")

    monkeypatch.setattr(probes, "round_trip", silent)
    (found,) = looked(broker.RoundTrip())
    assert found.level is Level.FAIL
    assert "rabbitmqctl status" in found.advice
