"""An event is given back as it was given: attributes, extensions, and data to the letter."""

import base64
import json
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from events.envelope import Envelope, to_cloudevent
from tests.events.envelope.requests import headers, members, read, text_with, the_envelope


def given_back(event: Envelope, **changed: Any) -> bytes:
    """Return the JSON text of an event that has been in the log."""
    row = {**msgspec.structs.asdict(event), "event_id": event.id, **changed}
    return msgspec.json.encode(to_cloudevent(SimpleNamespace(**row)))


@pytest.mark.parametrize(
    "event",
    [
        members(),
        members(subject="alice", dataschema="https://example.com/s", datacontenttype="text/plain", data="é"),
        members(time="2026-11-24T12:00:00Z", data={"a": [1, 2.5, None, True]}),
        members(data=None, datacontenttype="application/json"),
        members(data_base64="AAE=", datacontenttype="image/png"),
        members(
            partitionkey="k", expectedversion=3, expirytime="2026-11-24T13:00:00+01:00", correlationid="c"
        ),
        members(expectedversion="3", mine="x", yes=True, number=-7, sequence="1", causationid="z"),
        members(traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", tracestate="a=b"),
    ],
    ids=lambda event: ",".join(event)[-40:],
)
def test_an_event_is_given_back_as_it_was_given(event: dict[str, Any]) -> None:
    assert json.loads(given_back(the_envelope(read(event)))) == event


def test_a_null_is_data_too() -> None:
    assert b'"data":null' in given_back(the_envelope(read(text_with("data", "null"))))


def test_json_is_given_back_to_the_letter() -> None:
    data = '{"b" : 1.0,\n "a":[1e2, "\\u00e9", "\\/"], "b":2}'
    assert data.encode() in given_back(the_envelope(read(text_with("data", data))))


def test_bytes_of_a_binary_mode_are_given_back_as_base64() -> None:
    event = json.loads(given_back(the_envelope(read(b"\x89PNG", "image/png", **headers()))))
    assert base64.b64decode(event["data_base64"]) == b"\x89PNG"
    assert event["datacontenttype"] == "image/png"


def test_times_are_given_back_in_utc() -> None:
    event = json.loads(given_back(the_envelope(read(members(time="2026-11-24T13:00:00.25+01:00")))))
    assert event["time"] == "2026-11-24T12:00:00.250000Z"


def test_an_erased_payload_is_left_out() -> None:
    event = the_envelope(read(members(data={"a": 1})))
    assert json.loads(given_back(event, data=None)) == members()
