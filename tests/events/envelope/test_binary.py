"""Attributes in headers: names, quotes, percent-encoding."""

import pytest

from events.envelope import TooLarge
from tests.events.envelope.requests import headers, read, the_envelope, the_pointers


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        ("plain", "plain"),
        ("Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"),
        ("%e2%82%ac", "€"),
        ("100%25", "100%"),
        ("100%", "100%"),
        ("%zz", "%zz"),
        ("%2525", "%25"),
        ("a+b", "a+b"),
        ('"quoted"', "quoted"),
        (r'"with \"quotes\" and \\"', r'with "quotes" and \ '.strip()),
        ('"%22"', '"'),
        ('"not closed', '"not closed'),
        ('a "b" c', 'a "b" c'),
        ("é", "é"),
        ("é".encode().decode("latin-1"), "é"),
    ],
)
def test_a_header_is_unquoted_and_percent_decoded_once(value: str, subject: str) -> None:
    assert the_envelope(read(b"", "", **headers(subject=value))).subject == subject


@pytest.mark.parametrize("value", ["%00", "a\x00b", "%ED%A0%80", "%FF", "%C3", "\ud800", '"%00"'], ids=ascii)
@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "partitionkey", "mine"])
def test_nul_and_half_characters_are_in_no_header(name: str, value: str) -> None:
    assert the_pointers(read(b"", "", **headers(**{name: value}))) == [f"/{name}"]


@pytest.mark.parametrize("name", ["ce-", "ce-with-hyphen", "ce-a_b", "ce-é"])
def test_a_header_that_names_no_attribute_is_refused(name: str) -> None:
    assert the_pointers(read(b"", "", **headers(), **{name: "x"})) == [f"/{name.removeprefix('ce-')}"]


def test_what_is_required_is_asked_for() -> None:
    assert the_pointers(read(b"", "", **{"ce-id": "x"})) == ["/source", "/specversion", "/type"]
    assert the_pointers(read(b"", "", **{"ce-id": ""})) == ["/source", "/specversion", "/type", "/id"]


def test_other_headers_are_no_attributes() -> None:
    event = the_envelope(read(b"", "", **headers(), **{"x-forwarded-for": "1.2.3.4", "traceparent": "x"}))
    assert event.extensions == "{}"


def test_extensions_in_headers_are_text() -> None:
    event = the_envelope(read(b"", "", **headers(mine="5", other="true")))
    assert event.extensions == '{"mine":"5","other":"true"}'


def test_the_content_type_is_the_datas() -> None:
    event = the_envelope(
        read(b"<a/>", "Text/XML; charset=utf-8", **headers(datacontenttype="application/json"))
    )
    assert event.datacontenttype == "Text/XML; charset=utf-8"
    assert event.data == "<a/>"


def test_a_content_type_is_bounded_as_every_attribute() -> None:
    assert the_pointers(read(b"x", "text/" + "x" * 251, **headers())) == ["/datacontenttype"]


def test_a_body_has_at_most_64_kibibytes() -> None:
    assert the_envelope(read(b"x" * 65_536, "text/plain", **headers()))
    with pytest.raises(TooLarge):
        read(b"x" * 65_537, "text/plain", **headers())
