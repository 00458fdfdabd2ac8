"""Signed HTTP calls to an endpoint of the game's: for its own push server, chat bot or support desk."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from events import webhooks
from events.webhooks import Answer, Verdict
from notifications.delivery.channel import Channel, Letter, Undelivered
from notifications.frames import rfc3339
from notifications.models import WebhookEndpoint


class WebhookChannel(Channel):
    """Posts each letter as Standard Webhooks says; ``webhook-id`` is the letter's id."""

    name = "webhook"
    about = "a signed call to the game's own server"
    set_up_under = "Webhook endpoints"

    def route(self, game_id: int) -> Mapping[str, Any] | None:
        """Return the address and the secrets that sign."""
        endpoint = WebhookEndpoint.objects.filter(game_id=game_id, enabled=True).first()
        return None if endpoint is None else {"url": endpoint.url, "secrets": secrets_of(endpoint)}

    def send(self, letter: Letter, route: Mapping[str, Any]) -> None:
        """Post it once."""
        answer = call(letter.id, body_of(letter), route)
        if answer.verdict is not Verdict.DELIVERED:
            raise Undelivered(
                answer.error,
                answer.detail,
                permanent=answer.verdict is Verdict.PERMANENT,
                retry_after_s=answer.retry_after_s,
            )


def call(id: str, body: bytes, route: Mapping[str, Any]) -> Answer:
    """Sign and post a body, and return what came of it."""
    headers = webhooks.sign(route["secrets"], id=id, at=datetime.now(UTC), body=body)
    return webhooks.post(route["url"], body, headers)


def secrets_of(endpoint: WebhookEndpoint) -> list[bytes]:
    """Return the secret, and the former one for as long as it is still accepted."""
    salts = [endpoint.salt]
    if endpoint.former_salt and endpoint.former_until and endpoint.former_until > datetime.now(UTC):
        salts.append(endpoint.former_salt)
    return [webhooks.secret_of(bytes(salt)) for salt in salts]


def body_of(letter: Letter) -> bytes:
    """Return what is posted: the same bytes in every try."""
    return orjson.dumps(
        {
            "type": "notification.sent",
            "timestamp": rfc3339(letter.created),
            "data": {
                "game": letter.game,
                "player": letter.player,
                "notification": {
                    "id": str(letter.uid),
                    "number": letter.number,
                    "class": letter.class_,
                    "category": letter.category,
                    "title": letter.title,
                    "body": letter.body,
                    "data": orjson.Fragment(letter.data),
                    "actions": orjson.Fragment(letter.actions),
                    "created": rfc3339(letter.created),
                    "expires": rfc3339(letter.expires),
                },
            },
        }
    )
