"""A game's webhook endpoint: set up, switched, given another secret, tried out."""

import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
from django.db import transaction

from events import staff, webhooks
from events.webhooks import Answer, Verdict
from notifications.delivery import hints, outlets
from notifications.delivery.channels.webhook import WebhookChannel, call, secrets_of
from notifications.frames import rfc3339
from notifications.models import Outlet, WebhookEndpoint

FORMER_FOR = timedelta(days=1)
"""So long the former secret signs beside the new one."""


@dataclass(frozen=True, kw_only=True)
class Tested:
    """What came of a test message."""

    id: str
    answer: Answer
    took_ms: int


@transaction.atomic
def save(endpoint: WebhookEndpoint, by: str) -> str | None:
    """Save an endpoint and make the channel follow it; return a new one's secret, which is shown once.

    Raises:
        AddressRefused: webhooks must not go there.
    """
    host = webhooks.check_url(endpoint.url).host
    new = endpoint.pk is None
    if new:
        endpoint.salt = webhooks.new_salt()
    endpoint.save()
    outlets.put(endpoint.game_id, WebhookChannel.name, enabled=endpoint.enabled)
    transaction.on_commit(outlets.forget)
    transaction.on_commit(hints.hint)
    what = "webhook.made" if new else "webhook.changed"
    staff.note(endpoint.game_id, what, by, host=host, enabled=endpoint.enabled)  # a path may hold a secret
    return shown_secret(endpoint) if new else None


@transaction.atomic
def renew_secret(endpoint: WebhookEndpoint, by: str, reason: str) -> str:
    """Sign with a new secret from now on, and beside it with the former one for a day; return the new one."""
    row = WebhookEndpoint.objects.select_for_update(no_key=True).get(pk=endpoint.pk)
    row.former_salt, row.former_until = row.salt, datetime.now(UTC) + FORMER_FOR
    row.salt = webhooks.new_salt()
    row.save()
    staff.note(row.game_id, "webhook.secret_renewed", by, reason=reason)
    return shown_secret(row)


@transaction.atomic
def end_former_secret(endpoint: WebhookEndpoint, by: str, reason: str) -> bool:
    """Sign with the new secret alone from now on; False when there was no former one any more."""
    signing = WebhookEndpoint.objects.filter(pk=endpoint.pk, former_until__gt=datetime.now(UTC))
    ended = signing.update(former_salt=None, former_until=None)
    if ended:
        staff.note(endpoint.game_id, "webhook.former_secret_ended", by, reason=reason)
    return bool(ended)


def shown_secret(endpoint: WebhookEndpoint) -> str:
    """Return the secret as the receiver's library takes it."""
    return webhooks.shown(webhooks.secret_of(bytes(endpoint.salt)))


def test(endpoint: WebhookEndpoint, by: str) -> Tested:
    """Send a signed test message now, on the caller's thread, and return what was answered.

    Its type is ``clarion.test``; it is about no player, and only what came of it is noted.
    """
    now = datetime.now(UTC)
    id_ = f"test-{uuid.uuid4()}:{WebhookChannel.name}"
    message = {
        "type": "clarion.test",
        "timestamp": rfc3339(now),
        "data": {"game": endpoint.game.slug, "by": by},
    }
    began = time.monotonic()
    answer = call(id_, orjson.dumps(message), {"url": endpoint.url, "secrets": secrets_of(endpoint)})
    tested = Tested(id=id_, answer=answer, took_ms=round((time.monotonic() - began) * 1000))
    _note(endpoint, tested, by)
    return tested


@transaction.atomic
def _note(endpoint: WebhookEndpoint, tested: Tested, by: str) -> None:
    """Write down what came of a test; what was left alone is tried again once a test has arrived."""
    if tested.answer.verdict is Verdict.DELIVERED:
        outlets.succeeded(outlet_of(endpoint).pk)
        transaction.on_commit(hints.hint)
    ended = tested.answer.error or "delivered"
    staff.note(endpoint.game_id, "webhook.tested", by, id=tested.id, ended=ended, ms=tested.took_ms)


def outlet_of(endpoint: WebhookEndpoint) -> Outlet:
    """Return the row that says how the endpoint is doing."""
    return Outlet.objects.get(game_id=endpoint.game_id, channel=WebhookChannel.name)
