"""Which mode of CloudEvents a request is in: its content type's beginning tells."""

import pytest

from events.envelope import NotCloudEvents, Unreadable, read_request
from tests.events.envelope.requests import BATCH, JSON, STRUCTURED, headers, members, read, the_envelope


@pytest.mark.parametrize(
    "content_type",
    [
        STRUCTURED,
        "application/cloudevents+json; charset=utf-8",
        "application/cloudevents+json;charset=UTF-8",
        "APPLICATION/CloudEvents+JSON ; x=y",
        JSON,
        "Application/JSON; charset=utf-8",
    ],
)
def test_one_event_is_read_as_structured(content_type: str) -> None:
    reading = read(members(), content_type)
    assert not reading.batch
    assert the_envelope(reading).id == "e1"


@pytest.mark.parametrize("content_type", [BATCH, f"{BATCH}; charset=utf-8", BATCH.upper(), JSON])
def test_an_array_is_read_as_a_batch(content_type: str) -> None:
    reading = read([members(id="a"), members(id="b")], content_type)
    assert reading.batch
    assert [item.id for item in reading.items] == ["a", "b"]


@pytest.mark.parametrize("content_type", [BATCH, JSON])
@pytest.mark.parametrize("body", ["[]", " [ \n] "])
def test_an_empty_array_is_a_legal_batch(content_type: str, body: str) -> None:
    reading = read(body, content_type)
    assert (reading.items, reading.batch) == ([], True)


def test_plain_json_may_have_space_before_it() -> None:
    assert read(f" \n\t{'[]'}", JSON).batch
    assert not read(b"\r\n" + b'{"id":"x"}', JSON).batch


@pytest.mark.parametrize("content_type", ["", "text/plain", JSON, "application/xml", "image/png"])
def test_headers_tell_the_binary_mode(content_type: str) -> None:
    reading = read_request(content_type, headers(), b"1")
    assert not reading.batch
    assert the_envelope(reading).id == "e1"


def test_a_structured_body_is_not_binary_whatever_the_headers_say() -> None:
    assert (
        the_envelope(read(members(id="of the body"), STRUCTURED, **headers(id="of a header"))).id
        == "of the body"
    )


@pytest.mark.parametrize(
    "content_type",
    [
        "application/cloudevents+avro",
        "application/cloudevents+xml; charset=utf-8",
        "application/cloudevents",
        "application/cloudevents-batch+avro",
        "APPLICATION/CLOUDEVENTS+PROTOBUF",
    ],
)
def test_an_unknown_event_format_is_no_binary_mode_either(content_type: str) -> None:
    with pytest.raises(NotCloudEvents):
        read_request(content_type, headers(), b"{}")


@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/xml", "text/json", "json", "application/jsonx"]
)
def test_what_is_no_mode_is_refused(content_type: str) -> None:
    with pytest.raises(NotCloudEvents):
        read(members(), content_type)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"{'id': 'x'}",
        b'{"id": }',
        b'{"id": 01}',
        b'{"id": "a\tb"}',
        b'{"id": "a\x00b"}',
        b'{"id": NaN',
        b"\xff\xfe",
        b'{"id": "\xc3"}',
        b'\xef\xbb\xbf{"id": "x"}',
        b"nonsense",
    ],
)
@pytest.mark.parametrize("content_type", [STRUCTURED, BATCH, JSON])
def test_what_is_no_json_is_unreadable(body: bytes, content_type: str) -> None:
    with pytest.raises(Unreadable):
        read_request(content_type, {}, body)
    with pytest.raises(Unreadable):
        read_request(BATCH, {}, b"[" + body + b"x]")


@pytest.mark.parametrize("body", ["[]", "1", '"x"', "null", "true", "1.5"])
def test_json_of_another_kind_is_no_structured_event(body: str) -> None:
    with pytest.raises(Unreadable):
        read(body, STRUCTURED)


@pytest.mark.parametrize("body", ["{}", "1", '"[]"', "null"])
def test_json_of_another_kind_is_no_batch(body: str) -> None:
    with pytest.raises(Unreadable):
        read(body, BATCH)
