"""Payloads: JSON kept to the letter, text, base64; and what no payload may hold."""

import base64
import json
from typing import Any

import pytest

from tests.events.envelope.requests import headers, members, read, text_with, the_envelope, the_pointers

TO_THE_LETTER = (
    '{"b" : 1.0,\n "a":[1e2, "\\u00e9", "\\/"], "b":18446744073709551615, "c": -9223372036854775808}'
)


def test_json_is_kept_to_the_letter() -> None:
    event = the_envelope(read(text_with("data", TO_THE_LETTER)))
    assert (event.data, event.data_encoding) == (TO_THE_LETTER, "json")
    event = the_envelope(read(TO_THE_LETTER, "application/json", **headers()))
    assert (event.data, event.data_encoding) == (TO_THE_LETTER, "json")


@pytest.mark.parametrize("data", ["null", "0", '""', "[]", "false", '"text"'])
def test_any_json_may_be_data(data: str) -> None:
    event = the_envelope(read(text_with("data", data)))
    assert (event.data, event.data_encoding) == (data, "json")


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        (None, ('"<a/>"', "json")),
        ("application/json", ('"<a/>"', "json")),
        ("Application/JSON; charset=utf-8", ('"<a/>"', "json")),
        ("text/json", ('"<a/>"', "json")),
        ("application/vnd.game+json; v=2", ('"<a/>"', "json")),
        ("text/xml", ("<a/>", "text")),
        ("text/plain; charset=utf-8", ("<a/>", "text")),
        ("application/octet-stream", ("<a/>", "text")),
    ],
)
def test_text_in_structured_mode_is_json_or_text_as_its_content_type_says(
    content_type: str | None, expected: tuple[str, str]
) -> None:
    event = the_envelope(read(members(data="<a/>", datacontenttype=content_type)))
    assert (event.data, event.data_encoding) == expected
    assert event.datacontenttype == content_type


def test_json_under_another_content_type_stays_json() -> None:
    event = the_envelope(read(members(data={"a": 1}, datacontenttype="text/xml")))
    assert (event.data, event.data_encoding) == ('{"a": 1}', "json")


@pytest.mark.parametrize("text", ["", "AAE=", base64.b64encode(bytes(range(256))).decode()])
def test_base64_is_kept_as_it_came(text: str) -> None:
    event = the_envelope(read(members(data_base64=text, datacontenttype="image/png")))
    assert (event.data, event.data_encoding) == (text, "base64")


@pytest.mark.parametrize(
    "value", ["a", "====", "AAE", "A AE=", "AAE=\n", "é", "-_-_", "\x00", 5, None, [], True]
)
def test_what_is_no_base64_is_refused(value: Any) -> None:
    assert the_pointers(read(text_with("data_base64", json.dumps(value)))) == ["/data_base64"]


def test_both_kinds_of_data_are_refused() -> None:
    assert the_pointers(read(members(data=1, data_base64="AAE="))) == ["/data_base64"]


@pytest.mark.parametrize(
    ("data", "pointer"),
    [
        (r'"a\u0000b"', "/data"),
        (r'{"a": {"b": ["x", "\u0000"]}}', "/data/a/b/1"),
        (r'{"a\u0000b": 1}', "/data"),
        (r'{"c": {"\ud800": 1}}', "/data/c"),
        (r'["\ud800"]', "/data/0"),
        (r'["\udc00\ud800"]', "/data/0"),
        (r'["\ud800\ud800\udc00"]', "/data/0"),
        (r'["\\\ud800"]', "/data/0"),
        ('["\ud800"]', "/data/0"),
        ('{"\udfff": 1}', "/data"),
        ("1e999", "/data"),
        ("-1e999", "/data"),
        ("[1E+400]", "/data/0"),
        ("1.8e308", "/data"),
        (f"{'9' * 400}.5", "/data"),
        ("123456789012345678901234567890", "/data"),
        ('{"n": 18446744073709551616}', "/data/n"),
        ('{"n": -9223372036854775809}', "/data/n"),
        ("1" * 5_000, "/data"),
        ("NaN", "/data"),
        ("Infinity", "/data"),
        ("[1, -Infinity]", "/data/1"),
        ('{"a/b": {"c~d": NaN}}', "/data/a~1b/c~0d"),
        ("[" * 65 + "]" * 65, "/data"),
        ('{"a":' * 65 + "1" + "}" * 65, "/data"),
        ("[" * 40 + '{"a":' * 25 + "1" + "}" * 25 + "]" * 40, "/data"),
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_the_log_cannot_keep_is_pointed_at_in_every_mode(data: str, pointer: str) -> None:
    body = text_with("data", data).encode(errors="surrogatepass")
    assert the_pointers(read(body)) == [pointer]
    raw = data.encode(errors="surrogatepass")
    assert the_pointers(read(raw, "application/json", **headers())) == [pointer]
    assert the_pointers(read(raw, "", **headers())) == [pointer]


@pytest.mark.parametrize(
    "data",
    [
        r'"\\u0000 \\ud800 is only spelt out"',
        r'["\ud83d\ude00", "\uD83D\uDE00"]',
        '"NaN Infinity 1e999"',
        "18446744073709551615",
        "-9223372036854775808",
        "1.7976931348623157e308",
        "5e-324",
        "1e-999",
        f"0.{'1' * 400}",
        "[" * 64 + "]" * 64,
        json.dumps("[" * 500),
        json.dumps({"a": ["\\", '"', "]}" * 99]}),
        '{"":0}',
        '"\x7f\u2028\ufffe"',
    ],
    ids=lambda value: ascii(value)[:30],
)
def test_what_only_looks_like_it_is_kept(data: str) -> None:
    assert the_envelope(read(text_with("data", data))).data == data
    assert the_envelope(read(data, "application/json", **headers())).data == data


# -- binary mode ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("application/json", b"[1]", ("[1]", "json")),
        ("application/vnd.game+json", b"[1]", ("[1]", "json")),
        ("text/json; charset=utf-8", b"[1]", ("[1]", "json")),
        ("", b'{"message": "Hello World!"}', ('{"message": "Hello World!"}', "json")),
        ("", b"no json", (base64.b64encode(b"no json").decode(), "base64")),
        ("", b"\xff", ("/w==", "base64")),
        ("text/plain", "é".encode(), ("é", "text")),
        ("text/plain", b"\xff", ("/w==", "base64")),
        ("image/png", b"\x89PNG", ("iVBORw==", "base64")),
        ("application/json", b"", (None, "")),
        ("", b"", (None, "")),
    ],
)
def test_a_binary_modes_body_is_kept_as_its_content_type_says(
    content_type: str, body: bytes, expected: tuple[str | None, str]
) -> None:
    event = the_envelope(read(body, content_type, **headers()))
    assert (event.data, event.data_encoding) == expected
    assert event.datacontenttype == (content_type or None)


@pytest.mark.parametrize("body", [b"{", b"[1,]", b"01", b"\xff", b'"a\x00b"', b"{'a': 1}", b"{} {}", b" "])
def test_a_body_that_is_not_the_json_it_says_is_refused(body: bytes) -> None:
    assert the_pointers(read(body, "application/json", **headers())) == ["/data"]


@pytest.mark.parametrize("body", [b"[" * 60_000, b"[" * 30_000 + b"]" * 30_000, b'{"a":' * 10_000])
def test_json_that_no_parser_reads_to_the_end_is_refused(body: bytes) -> None:
    assert the_pointers(read(body, "application/json", **headers())) == ["/data"]


def test_text_with_nul_is_refused() -> None:
    assert the_pointers(read(b"a\x00b", "text/plain", **headers())) == ["/data"]


def test_a_binary_body_may_hold_a_players_id() -> None:
    event = the_envelope(read(b'{"player_id": "alice"}', "", **headers(type="player.updated")))
    assert event.stream == "alice"
