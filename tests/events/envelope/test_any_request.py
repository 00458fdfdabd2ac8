"""Whatever bytes and headers come, a reading is events, pointers, or one of three refusals."""

import json
from typing import Any

import msgspec
from hypothesis import given, settings

from events.envelope import Envelope, NotCloudEvents, TooLarge, Unreadable, read_request
from events.envelope.hazards import text_problem
from events.errors import InvalidEvent
from tests.events.envelope.nasty import BODIES, CONTENT_TYPES, HEADERS
from tests.events.envelope.test_giving_back import given_back


@settings(max_examples=400, deadline=None)
@given(content_type=CONTENT_TYPES, headers=HEADERS, body=BODIES)
def test_a_reading_is_events_pointers_or_a_refusal(
    content_type: str, headers: dict[str, str], body: bytes
) -> None:
    try:
        reading = read_request(content_type, headers, body)
    except (TooLarge, NotCloudEvents, Unreadable, InvalidEvent):
        return
    for item in reading.items:
        if isinstance(item, InvalidEvent):
            assert item.errors
            assert all(not pointer or pointer.startswith("/") for pointer, _ in item.errors)
            msgspec.json.encode(item.errors)  # it can be told
        else:
            can_be_kept(item)


def can_be_kept(event: Envelope) -> None:
    """Assert what the log and all its readers count on."""
    texts = [value for value in msgspec.structs.astuple(event) if isinstance(value, str)]
    assert not any(text_problem(text) for text in texts)
    assert len(event.stream) <= 511
    if event.data_encoding == "json":
        assert event.data is not None
        holds_no_hazard(msgspec.json.decode(event.data))
    assert all(isinstance(value, str | int) for value in json.loads(event.extensions).values())
    json.loads(given_back(event))


def holds_no_hazard(value: Any) -> None:
    """Assert that a value can be stored, encoded and compared."""
    if isinstance(value, str):
        assert text_problem(value) is None
    elif isinstance(value, float):
        assert value - value == 0, "infinite or no number"
    elif isinstance(value, int):
        assert -(2**63) <= value < 2**64
    elif isinstance(value, dict):
        for name, item in value.items():
            holds_no_hazard(name)
            holds_no_hazard(item)
    elif isinstance(value, list):
        for item in value:
            holds_no_hazard(item)
