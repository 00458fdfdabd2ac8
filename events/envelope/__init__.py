"""CloudEvents 1.0: from one HTTP request to validated envelopes, and back. Pure."""

from events.envelope.envelope import Envelope
from events.envelope.giving_back import to_cloudevent
from events.envelope.reading import (
    MAX_EVENT_BYTES,
    MAX_EVENTS,
    MAX_REQUEST_BYTES,
    NotCloudEvents,
    Reading,
    TooLarge,
    Unreadable,
    read_request,
)

__all__ = [
    "MAX_EVENTS",
    "MAX_EVENT_BYTES",
    "MAX_REQUEST_BYTES",
    "Envelope",
    "NotCloudEvents",
    "Reading",
    "TooLarge",
    "Unreadable",
    "read_request",
    "to_cloudevent",
]
