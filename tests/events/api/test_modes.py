"""Every mode of CloudEvents comes back from the log as it was posted."""

import json
from typing import Any

import pytest

from events.models import Event
from tests.events.api.server import GameServer, is_problem, pointers
from tests.events.envelope.requests import BATCH, JSON, STRUCTURED, headers, members, text_with

pytestmark = pytest.mark.django_db(transaction=True)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def given_back(server: GameServer) -> dict[str, Any]:
    """Return the only event of the log."""
    (item,) = server.get().json()["items"]
    return dict(item["event"])


def test_a_structured_event(server: GameServer) -> None:
    event = members(
        subject="alice", time="2026-11-24T12:00:00Z", datacontenttype="application/json", dataschema="/s",
        partitionkey="k", expectedversion=0, expirytime="2026-11-24T12:00:20Z", traceparent=TRACE, tracestate="a=b",
        correlationid="c", causationid="d", sequence="7", mine=True, data={"a": [1, 2.5, None], "é": "漢"},
    )  # fmt: skip
    assert server.post(event, f"{STRUCTURED}; charset=utf-8").status_code == 201
    assert given_back(server) == event
    assert Event.objects.get().traceparent == TRACE


def test_plain_json_is_structured_or_a_batch(server: GameServer) -> None:
    assert server.post(members(id="a"), "APPLICATION/JSON; charset=utf-8").status_code == 201
    assert server.post([members(id="a"), members(id="b")], JSON).json()["appended"] == 1


def test_a_batch_of_events(server: GameServer) -> None:
    events = [members(id=str(n), subject="s", data=n) for n in range(3)]
    assert server.post(events, BATCH).status_code == 200
    assert [item["event"] for item in server.get(stream="s").json()["items"]] == events


def test_a_binary_event(server: GameServer) -> None:
    answer = server.post(
        '{"player_id":"alice"}', "application/json; charset=utf-8",
        **headers(subject="Euro%20%E2%82%AC", time="2026-11-24T12:00:00Z", expectedversion="0", mine='"a b"'),
    )  # fmt: skip
    assert answer.status_code == 201
    assert given_back(server) == members(
        subject="Euro €", time="2026-11-24T12:00:00Z", expectedversion="0", mine="a b",
        datacontenttype="application/json; charset=utf-8", data={"player_id": "alice"},
    )  # fmt: skip


def test_a_binary_events_header_names_may_be_written_in_any_case(server: GameServer) -> None:
    given = {name.upper(): value for name, value in headers(subject="alice").items()}
    assert server.post("", "", **given).json()["stream"] == "alice"


def test_bytes(server: GameServer) -> None:
    server.post(b"\x89PNG\x00", "image/png", **headers())
    assert given_back(server) == members(datacontenttype="image/png", data_base64="iVBORwA=")


def test_data_is_given_back_to_the_letter(server: GameServer) -> None:
    data = '{"b" : 1.0,\n "a":[1e2, "\\u00e9", "\\/"], "b":18446744073709551615}'
    server.post(text_with("data", data))
    assert data in server.get().content.decode()


def test_an_invalid_trace_is_ignored(server: GameServer) -> None:
    assert server.post(members(traceparent="nonsense")).status_code == 201
    assert Event.objects.get().traceparent == ""
    assert given_back(server) == members()


# -- bad input, line by line, over HTTP -------------------------------------------------------------

NUL = r'"a\u0000b"'
HALF = r'"a\ud800b"'


BAD = [
    ("data", NUL, ["/data"]),
    ("data", f'{{"a": [{HALF}]}}', ["/data/a/0"]),
    ("data", f"{{{NUL}: 1}}", ["/data"]),
    ("data", '"raw \ud800"', ["/data"]),
    ("subject", '"raw \udfff"', ["/subject"]),
    ("subject", NUL, ["/subject"]),
    ("partitionkey", HALF, ["/partitionkey"]),
    ("mine", NUL, ["/mine"]),
    ("data", "1e999", ["/data"]),
    ("data", "[-1e999]", ["/data/0"]),
    ("data", "123456789012345678901234567890", ["/data"]),
    ("data", "18446744073709551616", ["/data"]),
    ("data", "NaN", ["/data"]),
    ("data", '{"gold": -Infinity}', ["/data/gold"]),
    ("mine", "1e999", ["/mine"]),
    ("data", "[" * 65 + "]" * 65, ["/data"]),
    ("data", "[" * 5_000 + "]" * 5_000, [""]),
    ("time", '"2026-11-24T12:00:00"', ["/time"]),
    ("expirytime", '"2026-11-24 12:00"', ["/expirytime"]),
    ("subject", f'"{"x" * 256}"', ["/subject"]),
    ("partitionkey", f'"{"x" * 256}"', ["/partitionkey"]),
    ("data", '{"player_id": 5}', ["/data/player_id"]),
    ("data", '{"player_id": null}', ["/data/player_id"]),
    ("data", '{"player_id": ["alice"]}', ["/data/player_id"]),
]


def text_of(member: str, value: str) -> bytes:
    return text_with(member, value).encode(errors="surrogatepass")


@pytest.mark.django_db
@pytest.mark.parametrize(("member", "value", "expected"), BAD, ids=lambda value: ascii(value)[:40])
def test_bad_input_is_refused_with_a_pointer_and_nothing_is_stored(
    server: GameServer, member: str, value: str, expected: list[str]
) -> None:
    answer = server.post(text_of(member, value))
    assert is_problem(answer, 422, "invalid")
    assert pointers(answer.json()) == expected
    assert not Event.objects.exists()


def test_bad_items_of_a_batch_are_refused_one_by_one(server: GameServer) -> None:
    good = json.dumps(members(id="good")).encode()
    bad = [text_of(member, value) for member, value, _ in BAD]
    answer = server.post(b"[" + b",".join([good, *bad]) + b"]", BATCH)
    assert answer.status_code == 207
    found = [pointers(each) for each in answer.json()["results"][1:]]
    assert found == [[f"/{n}{at}" for at in expected] for n, (_, _, expected) in enumerate(BAD, start=1)]
    assert list(Event.objects.values_list("event_id", flat=True)) == ["good"]


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "partitionkey"])
@pytest.mark.parametrize(
    "value", ["%00", "%ED%A0%80", "%FF", "x" * 256], ids=["NUL", "half", "no UTF-8", "too long"]
)
def test_bad_headers_are_refused_with_a_pointer(server: GameServer, name: str, value: str) -> None:
    answer = server.post("", "", **headers(**{name: value}))
    assert is_problem(answer, 422, "invalid")
    assert pointers(answer.json()) == [f"/{name}"]
    assert not Event.objects.exists()


def test_keys_of_255_characters_of_every_size_fit_into_every_index(server: GameServer) -> None:
    for name in ("id", "source", "type", "subject", "partitionkey"):
        event = members(**{"id": name, name: "😀" * 255})
        answer = server.post(event)
        assert answer.status_code == 201
        assert server.post(event).json() == {**answer.json(), "status": "duplicate"}


def test_the_longest_stream_fits_too(server: GameServer) -> None:
    event = members(id="😀" * 255, source="漢" * 255)
    assert len(server.post(event).json()["stream"]) == 511
    assert len(server.get(stream=f"{'漢' * 255}#{'😀' * 255}").json()["items"]) == 1
