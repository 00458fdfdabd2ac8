"""A validated event before it has a place in the log."""

from datetime import datetime

import msgspec


class Envelope(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One CloudEvent. Times are aware, in UTC, with microseconds."""

    id: str
    source: str
    type: str
    subject: str | None
    time: datetime | None
    datacontenttype: str | None
    dataschema: str | None
    data: str | None  # JSON text exactly as it came, or text, or base64 text
    data_encoding: str  # '' (no data), 'json', 'text' or 'base64'
    stream: str  # the ordering key, at most 511 characters
    expected_version: int | None  # the stream's version before this event; 0 is a new stream
    expires: datetime | None  # from expirytime
    traceparent: str  # '' when there is none, or none that is valid
    extensions: str  # canonical JSON text of all other attributes, '{}' if there are none
