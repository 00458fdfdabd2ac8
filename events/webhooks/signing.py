"""Signatures as Standard Webhooks asks for them: HMAC-SHA256 over id, time and body.

See https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from hmac import digest as hmac

from django.conf import settings

SALT_BYTES = 32


def new_salt() -> bytes:
    """Return what a new secret is derived from; another one is another secret."""
    return secrets.token_bytes(SALT_BYTES)


def secret_of(salt: bytes) -> bytes:
    """Derive an endpoint's secret, 32 bytes: the database alone, or a copy of it, cannot sign.

    Another ``CLARION_TOKEN_KEY`` makes other secrets of the same salts.
    """
    return hmac(settings.CLARION_TOKEN_KEY.encode(), b"clarion webhook" + salt, sha256)


def shown(secret: bytes) -> str:
    """Return a secret as the receiver's library takes it: ``whsec_`` and base64."""
    return f"whsec_{b64encode(secret).decode()}"


def sign(secrets: Sequence[bytes], *, id: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the three headers of a call.

    Args:
        secrets: one, or two while an old one is still accepted beside its successor.
        id: the same in every try; the receiver drops what it has seen.
        at: the time of this try; receivers refuse what is older than some minutes.
        body: exactly the bytes that are sent.
    """
    stamp = int(at.timestamp())
    content = f"{id}.{stamp}.".encode() + body
    signatures = [b64encode(hmac(secret, content, sha256)).decode() for secret in secrets]
    return {
        "webhook-id": id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": " ".join(f"v1,{each}" for each in signatures),
    }
