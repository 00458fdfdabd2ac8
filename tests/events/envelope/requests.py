"""Requests as game servers send them, and what a reading of one comes to."""

import json
from typing import Any

from events.envelope import Envelope, Reading, read_request
from events.errors import InvalidEvent

STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
JSON = "application/json"


def members(**others: Any) -> dict[str, Any]:
    """Return a valid event's members, changed by these; None takes one away."""
    event = {"specversion": "1.0", "id": "e1", "source": "/tests", "type": "level.reached", **others}
    return {name: value for name, value in event.items() if value is not None}


def headers(**others: str) -> dict[str, str]:
    """Return a valid event's headers in binary mode, changed by these."""
    return {f"ce-{name}": value for name, value in members(**others).items()}


def text_with(member: str, value: str, **others: Any) -> str:
    """Return a valid event's JSON text with one member of which the value is given as text."""
    return f'{json.dumps(members(**others))[:-1]}, "{member}": {value}}}'


def read(body: Any, content_type: str = STRUCTURED, **given: str) -> Reading:
    """Read a body: bytes, text, or what is still to be encoded."""
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
    return read_request(content_type, given, body.encode() if isinstance(body, str) else body)


def the_envelope(reading: Reading) -> Envelope:
    """Return the one event of a reading, which is valid."""
    (item,) = reading.items
    assert isinstance(item, Envelope), item
    return item


def pointers(item: Envelope | InvalidEvent) -> list[str]:
    """Return where an event is wrong."""
    assert isinstance(item, InvalidEvent), item
    return [pointer for pointer, _ in item.errors]


def the_pointers(reading: Reading) -> list[str]:
    """Return where the one event of a reading is wrong."""
    (item,) = reading.items
    return pointers(item)
