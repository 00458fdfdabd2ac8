"""From an event over HTTP to a signed webhook, by processes as an operator starts them, and by killed ones."""

import json
from collections.abc import Iterator

import pytest

from tests.config.deployment import Services
from tests.events.webhooks.receiver import Receiver, receiving
from tests.notifications.delivery.world import COUNT, LATEST, Embedded, OnServices, World

ASKED_S = 12
"""Longer than the first delay of the schedule."""


@pytest.fixture(
    scope="module",
    params=[
        pytest.param("services", marks=pytest.mark.services),
        pytest.param("embedded", marks=pytest.mark.embedded),
    ],
)
def world(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Start Clarion, and an endpoint for its webhooks."""
    with receiving() as receiver:
        if request.param == "services":
            with Services("deliveries", CLARION_WEBHOOK_NETWORKS="127.0.0.0/8") as servers:
                yield OnServices(receiver, servers, servers.url)
        else:
            embedded = Embedded(receiver, tmp_path_factory.mktemp("deliveries"))
            try:
                yield embedded
            finally:
                embedded.kill()


@pytest.fixture(autouse=True)
def receiver(world: World) -> Receiver:
    """An endpoint that answers, and has not been called yet."""
    world.receiver.calls.clear()
    world.receiver.status, world.receiver.headers = 200, {}
    return world.receiver


def test_an_event_s_webhook_arrives_signed(world: World, receiver: Receiver) -> None:
    world.post(1)
    receiver.wait()
    world.becomes("sent", 1, 0, "")
    (call,) = receiver.calls
    assert call.fits(world.secret)
    told = json.loads(call.body)["data"]
    assert (told["player"], told["notification"]["title"]) == ("alice", "Level 1!")
    assert call.headers["webhook-id"] == f"{told['notification']['id']}:webhook"


def test_an_endpoint_that_asks_for_time_gets_it_and_then_the_same_again(
    world: World, receiver: Receiver
) -> None:
    receiver.status, receiver.headers = 503, {"Retry-After": str(ASKED_S)}
    world.post(2)
    receiver.wait()
    world.becomes("waiting", 1, 1, "http 503")
    receiver.status = 200
    receiver.wait()
    world.becomes("sent", 2, 1, "http 503")
    first, second = receiver.calls
    assert second.at - first.at >= ASKED_S
    assert second.headers["webhook-id"] == first.headers["webhook-id"]
    assert second.body == first.body


def test_what_is_killed_between_sending_and_committing_is_repeated_with_its_id_and_has_one_row(
    world: World, receiver: Receiver
) -> None:
    receiver.status = "hang"
    world.post(3)
    receiver.wait()  # it was sent, and nothing about it is committed
    world.kill()
    assert world.ask(LATEST) == [("sending", 1, 0, "")]
    rows = world.ask(COUNT)
    receiver.status = 200
    world.let_the_lease_end()
    world.start_again()
    receiver.wait()
    world.becomes("sent", 2, 1, "interrupted")
    assert len(set(receiver.ids)) == 1
    assert len(receiver.calls) == 2
    assert {call.fits(world.secret) for call in receiver.calls} == {True}
    assert world.ask(COUNT) == rows
