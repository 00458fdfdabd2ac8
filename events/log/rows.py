"""One row of the event table, as both stores write it and as the chain hashes it. Pure."""

from datetime import datetime
from typing import Any, NamedTuple

from events.envelope import Envelope
from events.log import digests

OFFSET_BITS = 40
SALT_BYTES = 16


class Row(NamedTuple):
    """The columns in the order in which they are written."""

    id: int
    game_id: int
    partition_id: int
    offset: int
    lane: int
    stream: str
    version: int
    source: str
    event_id: str
    type: str
    subject: str | None
    time: datetime | None
    recorded: datetime
    expires: datetime | None
    datacontenttype: str | None
    dataschema: str | None
    data_encoding: str
    data: str | None
    extensions: str
    traceparent: str
    salt: bytes | None
    payload_digest: bytes
    digest: bytes


COLUMNS = Row._fields
HASHED = (
    "game_id", "partition_id", "offset", "lane", "stream", "version", "source", "event_id", "type", "subject", "time",
    "recorded", "expires", "datacontenttype", "dataschema", "data_encoding", "extensions", "traceparent",
)  # fmt: skip
"""What the digest covers, in this order; times as microseconds."""


def event_pk(partition_id: int, offset: int) -> int:
    """Return the id of the event at this place."""
    return (partition_id << OFFSET_BITS) | offset


def hashed(values: dict[str, Any]) -> list[Any]:
    """Return the envelope of a row, read back, as the chain hashes it."""
    return [
        digests.microseconds(values[name]) if name in {"time", "recorded", "expires"} else values[name]
        for name in HASHED
    ]


class Place(NamedTuple):
    """Where an event goes, and what comes before it."""

    game_id: int
    partition_id: int
    offset: int
    lane: int
    version: int
    previous: bytes


def build(envelope: Envelope, place: Place, recorded: datetime, salt: bytes) -> Row:
    """Return the row of an event at its place; ``salt`` is fresh random bytes."""
    payload = digests.payload_digest(salt, envelope.data)
    us = digests.microseconds
    fields = [
        place.game_id, place.partition_id, place.offset, place.lane, envelope.stream, place.version,
        envelope.source, envelope.id, envelope.type, envelope.subject, us(envelope.time), us(recorded),
        us(envelope.expires), envelope.datacontenttype, envelope.dataschema, envelope.data_encoding,
        envelope.extensions, envelope.traceparent,
    ]  # fmt: skip
    return Row(
        event_pk(place.partition_id, place.offset),
        place.game_id,
        place.partition_id,
        place.offset,
        place.lane,
        envelope.stream,
        place.version,
        envelope.source,
        envelope.id,
        envelope.type,
        envelope.subject,
        envelope.time,
        recorded,
        envelope.expires,
        envelope.datacontenttype,
        envelope.dataschema,
        envelope.data_encoding,
        envelope.data,
        envelope.extensions,
        envelope.traceparent,
        salt,
        payload,
        digests.event_digest(place.previous, fields, payload),
    )
