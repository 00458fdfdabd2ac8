"""Bad weather, as it is: Redis away, hints lost, subscriptions broken. No socket is closed, all arrives."""

import asyncio
import logging
from collections.abc import Iterator

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection

from notifications import announcements
from notifications.gateway import look, protocol, supervision
from notifications.push import publishing
from notifications.push.redis import RedisTransport
from tests.config.processes import free_port
from tests.notifications.gateway.devices import GatewayThread, titles
from tests.notifications.gateway.eventually import eventually
from tests.notifications.gateway.scene import Scene
from tests.notifications.gateway.transports import Interrupted, NobodyHears

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Interrupted:
    """A subscription that breaks when the test says so, and comes back after a while that tests can use."""
    monkeypatch.setattr(supervision, "PAUSE_S", (0.3, 0.3))
    made = Interrupted()
    publishing.use(made)
    return made


@pytest.fixture(autouse=True)
def _own_transport_again() -> Iterator[None]:
    """Leave no transport of these tests behind."""
    yield
    publishing.use(None)


def test_with_every_hint_lost_changes_arrive_within_the_look_of_a_second(scene: Scene) -> None:
    assert look.LOOK_S == 1.0
    publishing.use(NobodyHears())
    with GatewayThread() as gateway:
        alice = gateway.device(scene.token())
        said = scene.tells()
        assert titles(alice.hears_changes(1)) == said


def test_while_redis_is_away_no_socket_is_closed_and_changes_arrive(scene: Scene) -> None:
    publishing.use(RedisTransport(f"redis://127.0.0.1:{free_port()}/0", "nobody-"))
    with GatewayThread() as gateway:
        alice = gateway.device(scene.token(), device="phone")
        for to in (1, 2):
            said = scene.tells()
            assert titles(alice.hears_changes(to)) == said
        alice.says("read", through=1)
        assert alice.hears("changes")["read_through"] == 1


@pytest.mark.usefixtures("no_look")
def test_what_was_published_between_two_subscriptions_is_read_after_the_second(
    interrupted: Interrupted, scene: Scene
) -> None:
    with GatewayThread() as gateway:
        alice = gateway.device(scene.token())
        eventually(lambda: interrupted.subscriptions == 1)
        interrupted.breaks()
        lost = scene.tells()
        announcements.put(scene.game.id, title="lost, too")
        frames = alice.hears_until(lambda frame: frame["type"] == "changes" and frame["to"] == 1)
        assert interrupted.subscriptions == 2
        assert set(titles(frames)) == {*lost, "lost, too"}
        now = scene.tells()
        assert titles(alice.hears_changes(2)) == now


@pytest.mark.usefixtures("no_look")
def test_a_subscription_that_keeps_breaking_is_told_once(
    interrupted: Interrupted, scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(supervision, "PAUSE_S", (0.0, 0.0))
    with caplog.at_level(logging.WARNING), GatewayThread() as gateway:
        gateway.device(scene.token())
        for number in range(1, 4):
            eventually(lambda number=number: interrupted.subscriptions == number)
            interrupted.breaks()
        eventually(lambda: interrupted.subscriptions == 4)
    told = [record for record in caplog.records if "gateway.task_failed" in record.getMessage()]
    assert len(told) == 1


async def test_a_task_that_ends_is_run_again_for_as_long_as_the_process_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(supervision, "PAUSE_S", (0.0, 0.0))
    runs, reached = 0, asyncio.Event()

    async def work() -> None:
        nonlocal runs
        runs += 1
        if runs == 5:
            reached.set()
            await asyncio.Event().wait()
        if runs % 2:
            raise ValueError

    task = supervision.supervised("test", work)
    await asyncio.wait_for(reached.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.services
def test_when_redis_cuts_our_connections_pushes_go_on(
    gateway: GatewayThread, transport: RedisTransport, scene: Scene
) -> None:
    """Both ends lose theirs, as when Redis is restarted."""
    alice = gateway.device(scene.token())
    for to in range(1, 4):
        with redis.Redis.from_url(settings.REDIS_URL) as client:
            ours = [each["id"] for each in client.client_list() if each["name"] == transport.channel]
            assert ours
            for each in ours:
                client.client_kill_filter(_id=each)
        said = scene.tells()
        assert titles(alice.hears_changes(to)) == said


class Outage:
    """PostgreSQL refuses every new connection to this database until it is over."""

    def __init__(self, postgres: psycopg.Connection) -> None:
        self._postgres = postgres

    def begins(self) -> None:
        self._allow("false")

    def ends(self) -> None:
        self._allow("true")

    def _allow(self, connections: str) -> None:
        name = connection.settings_dict["NAME"]
        self._postgres.execute(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS {connections}')


@pytest.fixture
def outage() -> Iterator[Outage]:
    """Whatever the test does, it is over afterwards."""
    parameters = connection.get_connection_params() | {"dbname": "postgres"}
    names = parameters.keys() & {"dbname", "user", "password", "host", "port"}
    with psycopg.connect(**{name: parameters[name] for name in names}, autocommit=True) as postgres:
        made = Outage(postgres)
        yield made
        made.ends()


@pytest.mark.services
def test_while_postgresql_refuses_connections_sockets_stay_and_all_arrives_after_it(
    scene: Scene, outage: Outage
) -> None:
    publishing.use(NobodyHears())
    with GatewayThread() as gateway:
        alice = gateway.device(scene.token(), device="phone")
        said = scene.tells()
        outage.begins()
        frames = alice.hears_until(lambda frame: frame["type"] == "status")
        assert frames[-1]["mode"] == "degraded"
        alice.says("read", ids=scene.ids())
        assert alice.hears("error")["code"] == "unavailable"
        late = gateway.device()
        late.says("connect", token=scene.token())
        assert late.is_closed()[0] == protocol.OVERLOADED
        outage.ends()
        frames += alice.hears_until(lambda frame: frame.get("mode") == "normal")
        while titles(frames) != said:
            frames.append(alice.hears_any())
