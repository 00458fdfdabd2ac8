"""A game's webhook endpoint: its secret is shown once and stored nowhere; staff may renew it and try it out."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from events.models import OutboxEvent
from events.webhooks import AddressRefused, Verdict
from notifications.delivery import endpoints, outlets
from notifications.delivery.channels.webhook import WebhookChannel
from notifications.models import Outlet, WebhookEndpoint
from tests.events.webhooks.receiver import Receiver
from tests.given import given_game
from tests.notifications.delivery.scene import deliver, fresh, given_delivery, given_endpoint

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_rule_s_notification_arrives_signed_end_to_end(receiver: Receiver) -> None:
    game = given_game()
    _, secret = given_endpoint(game, receiver.url)
    row = given_delivery(game, channel="webhook")
    deliver()
    assert fresh(row).state == "sent"
    (call,) = receiver.calls
    assert call.headers["webhook-id"] == row.idempotency_id
    assert call.fits(secret)
    assert json.loads(call.body)["data"]["notification"]["title"] == "Level 5!"


@pytest.mark.parametrize(
    ("status", "state", "error"),
    [
        (200, "sent", ""), (500, "waiting", "http 500"), (429, "waiting", "http 429"), (410, "dead", "http 410"),
        (404, "dead", "http 404"), ("drop", "waiting", "connection lost"),
    ],
)  # fmt: skip
def test_each_answer_has_its_end(receiver: Receiver, status: int | str, state: str, error: str) -> None:
    game = given_game()
    given_endpoint(game, receiver.url)
    receiver.status = status
    row = given_delivery(game, channel="webhook")
    deliver()
    assert (fresh(row).state, fresh(row).error) == (state, error)


def test_the_secret_is_nowhere_in_the_database(receiver: Receiver) -> None:
    endpoint, secret = given_endpoint(given_game(), receiver.url)
    stored = WebhookEndpoint.objects.filter(pk=endpoint.pk).values().get()
    assert secret.removeprefix("whsec_") not in repr(stored)
    assert endpoints.shown_secret(endpoint) == secret
    assert secret not in "".join(OutboxEvent.objects.values_list("data", flat=True))


def test_a_new_secret_signs_beside_the_former_one_for_a_day(receiver: Receiver) -> None:
    endpoint, old = given_endpoint(given_game(), receiver.url)
    new = endpoints.renew_secret(endpoint, "olive", "somebody left")
    assert new != old
    endpoints.test(fetched(endpoint), "olive")
    assert receiver.calls[-1].fits(old)
    assert receiver.calls[-1].fits(new)
    WebhookEndpoint.objects.update(former_until=datetime.now(UTC) - timedelta(seconds=1))
    endpoints.test(fetched(endpoint), "olive")
    assert not receiver.calls[-1].fits(old)
    assert receiver.calls[-1].fits(new)


def fetched(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    return WebhookEndpoint.objects.get(pk=endpoint.pk)


def test_a_test_message_is_signed_and_its_answer_shown(receiver: Receiver) -> None:
    endpoint, secret = given_endpoint(given_game(), receiver.url)
    receiver.status, receiver.answer = 503, b"down for repair"
    tested = endpoints.test(endpoint, "olive")
    assert (tested.answer.verdict, tested.answer.status, tested.answer.excerpt) == (
        Verdict.TRANSIENT,
        503,
        "down for repair",
    )
    (call,) = receiver.calls
    assert call.fits(secret)
    assert json.loads(call.body)["type"] == "clarion.test"
    assert call.headers["webhook-id"] == tested.id


def test_an_address_inside_is_refused_when_it_is_saved_and_when_it_is_called(settings: Any) -> None:
    game = given_game()
    with pytest.raises(AddressRefused):
        endpoints.save(WebhookEndpoint(game=game, url="https://169.254.169.254/latest"), "olive")
    assert not WebhookEndpoint.objects.exists()
    settings.CLARION_WEBHOOK_NETWORKS = ()
    WebhookEndpoint.objects.create(game=game, url="https://127.0.0.1/", salt=b"x" * 32)
    outlets.put(game.id, "webhook", enabled=True)
    row = given_delivery(game, channel="webhook")
    deliver()
    assert (fresh(row).state, fresh(row).error) == ("dead", "address refused")


def test_switching_it_off_switches_the_channel_off(receiver: Receiver) -> None:
    game = given_game()
    endpoint, _ = given_endpoint(game, receiver.url)
    assert outlets.ready(game.id) == {"webhook"}
    endpoint.enabled = False
    assert endpoints.save(endpoint, "olive") is None
    assert outlets.ready(game.id) == frozenset()
    assert outlets.known(game.id) == {"webhook"}
    assert not Outlet.objects.get(game=game).enabled
    assert WebhookChannel().route(game.id) is None


def test_what_staff_do_is_noted_with_the_host_and_never_with_the_path(receiver: Receiver) -> None:
    endpoint, _ = given_endpoint(given_game(), receiver.url)
    endpoints.renew_secret(endpoint, "olive", "somebody left")
    noted = {row.type: orjson.loads(row.data) for row in OutboxEvent.objects.all()}
    assert noted["staff.webhook.made"] == {"by": "olive", "host": "127.0.0.1", "enabled": True}
    assert noted["staff.webhook.secret_renewed"]["reason"] == "somebody left"
    assert "hooks" not in str(noted)
