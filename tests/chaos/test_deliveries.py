"""Webhooks in bad weather: each comes, under one id, from one row, whatever was away meanwhile."""

import signal

import pytest

from tests.chaos.fleet import Deployment
from tests.chaos.scene import Form
from tests.chaos.servers import Servers
from tests.config.processes import MANAGE, finished
from tests.events.webhooks.receiver import Receiver, receiving
from tests.notifications.delivery.stage import GAME
from tests.notifications.delivery.world import COUNT, PATIENCE_S, OnServices

pytestmark = [pytest.mark.chaos, pytest.mark.services]
STATES = "SELECT DISTINCT state FROM notifications_delivery"


def test_webhooks_come_without_a_broker_and_after_a_crash_of_the_database(
    servers: Servers, form: Form
) -> None:
    each = form.of(10, 150)
    with receiving() as receiver, Deployment(servers, CLARION_WEBHOOK_NETWORKS="127.0.0.0/8") as deployment:
        world = OnServices(receiver, deployment, deployment.url)
        servers.rabbit.stop(signal.SIGTERM)
        servers.redis.stop()
        for level in range(each):
            world.post(level)
        come(receiver, each)  # found by age: nobody could be told
        servers.rabbit.start()
        servers.redis.start()
        receiver.status = "hang"
        for level in range(each, 2 * each):
            world.post(level)
        come(receiver, each + 1)  # something is under way
        servers.postgres.stop(signal.SIGQUIT)
        receiver.status = 200
        servers.postgres.start()
        world.let_the_lease_end()
        world.comes_to(STATES, [("sent",)])
        assert world.ask(COUNT) == [(2 * each,)]
        assert len(set(receiver.ids)) == 2 * each
        assert all(call.fits(world.secret) for call in receiver.calls)
        verified = finished(MANAGE, "verify", GAME, **deployment.environment)
        assert verified.returncode == 0, verified.stdout


def come(receiver: Receiver, count: int) -> None:
    """Wait until so many different webhooks have come."""
    while len(set(receiver.ids)) < count:
        receiver.wait(1, PATIENCE_S)
