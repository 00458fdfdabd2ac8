"""A batch: each event is judged on its own, and none takes the others with it."""

import json

import pytest

from events.envelope import MAX_EVENT_BYTES, MAX_EVENTS, MAX_REQUEST_BYTES, Envelope, TooLarge, Unreadable
from events.envelope.pieces import elements
from tests.events.envelope.requests import BATCH, members, pointers, read, text_with

GOOD = json.dumps(members(data={"text": 'brackets ]}[{ and "quotes" \\ inside'}))


@pytest.mark.parametrize(
    ("bad", "expected"),
    [
        ("{}", ["/1/id", "/1/source", "/1/specversion", "/1/type"]),
        ("1", ["/1"]),
        ("null", ["/1"]),
        ("[]", ["/1"]),
        ('"text"', ["/1"]),
        (text_with("data", "NaN"), ["/1/data"]),
        (text_with("data", '{"a": [1, -Infinity]}'), ["/1/data/a/1"]),
        (text_with("data", "[" * 5_000 + "]" * 5_000), ["/1"]),
        (text_with("data", "[" * 65 + "]" * 65), ["/1/data"]),
        (text_with("data", r'"\ud800"'), ["/1/data"]),
        (text_with("data", '{"a~b/c": 1e999}'), ["/1/data/a~0b~1c"]),
        (text_with("Loud", "1"), ["/1/Loud"]),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_bad_event_is_pointed_at_and_its_neighbours_are_good(bad: str, expected: list[str]) -> None:
    first, second, third = read(f"[{GOOD}, {bad} ,{GOOD}]", BATCH).items
    assert isinstance(first, Envelope)
    assert pointers(second) == expected
    assert isinstance(third, Envelope)
    assert first.data == third.data == json.dumps(json.loads(GOOD)["data"])


def test_a_thousand_events_are_read_and_one_more_is_too_many() -> None:
    assert len(read([members()] * MAX_EVENTS, BATCH).items) == MAX_EVENTS
    with pytest.raises(TooLarge, match="1001 events"):
        read([members()] * (MAX_EVENTS + 1), BATCH)
    with pytest.raises(TooLarge, match="1001 events"):
        read([1] * (MAX_EVENTS + 1), BATCH)


def test_a_request_has_at_most_a_mebibyte() -> None:
    body = json.dumps([members(data="x" * 60_000)] * 17)
    assert len(read(body + " " * (MAX_REQUEST_BYTES - len(body)), BATCH).items) == 17
    with pytest.raises(TooLarge):
        read(body + " " * (MAX_REQUEST_BYTES - len(body) + 1), BATCH)


def test_an_event_has_at_most_64_kibibytes_wherever_it_stands() -> None:
    largest = json.dumps(members(data="x"))
    largest = largest.replace('"x"', f'"{"x" * (MAX_EVENT_BYTES - len(largest) + 1)}"')
    assert len(largest) == MAX_EVENT_BYTES
    assert isinstance(read(f"[{largest}]", BATCH).items[0], Envelope)
    assert isinstance(read(largest).items[0], Envelope)
    with pytest.raises(TooLarge):
        read(largest.replace("xx", "xxx", 1))
    with pytest.raises(TooLarge, match="/1"):
        read(f"[{GOOD},{largest.replace('xx', 'xxx', 1)}]", BATCH)


def test_size_is_counted_in_bytes() -> None:
    with pytest.raises(TooLarge):
        read(json.dumps(members(data="漢" * 22_000), ensure_ascii=False))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]", []),
        (" [ ] ", []),
        ("[1]", ["1"]),
        ('[1, {"a": [2, "],["]}, NaN]', ["1", ' {"a": [2, "],["]}', " NaN"]),
        (r'["\"", "\\"]', [r'"\""', r' "\\"']),
        ("[[],[]]", ["[]", "[]"]),
        ("{}", None),
        ("1", None),
        ("", None),
        ("[", None),
        ("[1", None),
        ("[1,]", None),
        ("[,1]", None),
        ("[,]", None),
        ("[1}", None),
        ("[1] 2", None),
        ("1 [2]", None),
        ("[1],[2]", None),
        ('["]', ['"']),
    ],
)
def test_an_array_is_cut_where_its_commas_are(text: str, expected: list[str] | None) -> None:
    assert elements(text) == expected


@pytest.mark.parametrize("bad", ["{", "x", '{"a": NaN, b}', "NaN NaN", '{"a" NaN}'])
def test_what_is_no_json_even_by_itself_makes_the_whole_batch_unreadable(bad: str) -> None:
    with pytest.raises(Unreadable):
        read(f"[{GOOD}, {bad}, {GOOD}]", BATCH)
