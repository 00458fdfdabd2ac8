"""What Mallory sends: bytes that are nearly JSON, events that are nearly valid, headers of every kind."""

import json

from hypothesis import strategies as st

from tests.events.envelope.requests import BATCH, JSON, STRUCTURED

SPELT = [
    r'"\u0000"', r'"\ud800"', r'"\udc00\ud800"', r'"\ud83d\ude00"', '"\ud800"', '"\x00"', '"\x1f"', r'"\x"',
    "NaN", "Infinity", "-Infinity", "1e999", "-1e999", "1e400", "1.7976931348623159e308", "5e-324", "-0", "-0.0",
    "18446744073709551615", "18446744073709551616", "-9223372036854775808", "-9223372036854775809",
    "123456789012345678901234567890", "9" * 400, "9" * 5_000, "01", "1.", ".5", "+1", "tru", "null", "'x'", "",
    "[" * 64 + "]" * 64, "[" * 65 + "]" * 65, "[" * 2_000 + "]" * 2_000, "[" * 1_200, '{"a":' * 70 + "1" + "}" * 70,
    '{"player_id": 5}', '{"player_id": null}', '{"player_id": "alice"}', '{"player_id": "alice", "player_id": []}',
    r'{"player_id": "a\u0000"}', r'{"\ud800": 1}', '{"a": 1,}', '{"a": {"a": {"a": "' + "x" * 70_000 + '"}}}',
]  # fmt: skip
SPELLINGS = st.integers(0, len(SPELT) - 1).map(SPELT.__getitem__)
"""JSON texts, most of which are wrong in some way."""
_LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
_LOOKED_AT = ("guild", "from", "level", "locale", "timezone", "display_name", "attributes", "map", "gift")
DATA = st.fixed_dictionaries(
    {"player_id": st.sampled_from(["alice", "bob", "😀", "x" * 128])},
    optional=dict.fromkeys(_LOOKED_AT, _VALUES),
).map(json.dumps)
"""Valid data of every shape, with names that rules and folds look at."""
CHARACTERS = st.characters() | st.sampled_from(list('\x00\x1f\x7f\ud800\udfff\ufffe漢😀%"\\/~'))
TEXTS = st.text(CHARACTERS, max_size=20) | st.sampled_from(
    ["", "x" * 255, "x" * 256, "clarion:x", "player.updated"]
)
VALUES = SPELLINGS | TEXTS.map(json.dumps) | TEXTS.map(lambda text: json.dumps(text, ensure_ascii=False))
NAMES = st.sampled_from(
    [
        "id", "source", "type", "specversion", "subject", "time", "expirytime", "partitionkey", "expectedversion",
        "traceparent", "data", "data_base64", "datacontenttype", "dataschema", "mine", "Loud", "a-b",
    ]
) | TEXTS  # fmt: skip
GOOD = {
    "specversion": '"1.0"', "id": '"e1"', "source": '"/mallory"', "type": '"level.reached"',
    "data": '{"player_id": "bob"}',
}  # fmt: skip


def of_type(name: str, event_id: str, data: str) -> str:
    """Return the JSON text of an event with this JSON text as its data."""
    return _object({**GOOD, "type": json.dumps(name), "id": json.dumps(event_id), "data": data})


def _object(members: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in members.items()) + "}"


IDS = st.integers(0, 10**9).map(str)
EVENTS = st.builds(
    lambda event_id, odd: _object({**GOOD, "id": f'"{event_id}"', **odd}),
    IDS,
    st.dictionaries(NAMES, VALUES, max_size=3),
)
"""An event of which up to three members are odd."""
TYPES = ("player.updated", "player.erased", "guild.invite.received", "level.reached")
TYPED = st.builds(of_type, st.sampled_from(TYPES), IDS, VALUES | DATA)
BATCHES = st.lists(EVENTS | TYPED | SPELLINGS, max_size=4).map(lambda items: f"[{', '.join(items)}]")
BODIES = st.binary(max_size=60) | (
    EVENTS | TYPED | BATCHES | SPELLINGS | st.text(CHARACTERS, max_size=60)
).map(lambda text: text.encode(errors="surrogatepass"))
CONTENT_TYPES = st.sampled_from(
    [
        STRUCTURED, STRUCTURED, BATCH, JSON, JSON, JSON, JSON, f"{JSON}; charset=utf-8", "", "text/plain",
        "application/octet-stream",
        "application/cloudevents+avro", "APPLICATION/CLOUDEVENTS+JSON", "application/json; charset=\xff", ";",
        "x" * 300,
    ]
)  # fmt: skip
_ODD_HEADERS = st.dictionaries(
    NAMES.filter(lambda name: name.isascii() and name.isprintable() and ":" not in name and name).map(
        lambda name: f"ce-{name.lower()}"
    ),
    st.text(st.characters(max_codepoint=255, exclude_characters="\r\n\x00"), max_size=20)
    | st.sampled_from(["", "1.0", "%00", "%ED%A0%80", "%FF", '"\\"', "x" * 300, "2026-11-24T12:00:00"]),
    max_size=3,
)
HEADERS = st.just({}) | st.builds(
    lambda event_id, odd: {
        "ce-specversion": "1.0",
        "ce-id": event_id,
        "ce-source": "/mallory",
        "ce-type": "level.reached",
        **odd,
    },
    IDS,
    _ODD_HEADERS,
)
"""No header at all, or a binary mode's, of which up to three are odd."""
