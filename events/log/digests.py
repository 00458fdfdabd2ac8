"""The chain that makes the log tamper-evident. Pure.

Each event has ``payload_digest = SHA-256(salt, data)`` and
``digest = SHA-256(previous digest of the partition, envelope, payload_digest)``. So a
payload can be erased (its digest stays), while a changed, removed, swapped or cut-off
event breaks the chain. Everything that is hashed reads back from both databases exactly
as it was written: text as text, times as whole microseconds.
"""

from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode

GENESIS = bytes(32)
"""The digest before the first event of a partition."""


def microseconds(moment: datetime | None) -> int | None:
    """Return whole microseconds since 1970 in UTC, or None."""
    return None if moment is None else (moment - _EPOCH) // _MICROSECOND


def payload_digest(salt: bytes, data: str | None) -> bytes:
    """Return SHA-256 over the salt and the payload's text; no data is told from empty data."""
    return sha256(salt + (b"\x00" if data is None else b"\x01" + data.encode())).digest()


def event_digest(previous: bytes, envelope: list[Any], payload: bytes) -> bytes:
    """Return SHA-256 over the previous digest, the envelope's fields as JSON, and the payload's digest."""
    return sha256(previous + _encode(envelope) + payload).digest()
