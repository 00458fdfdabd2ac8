"""Context attributes: names, types, lengths, times, versions, and the stream that they make."""

from datetime import UTC, datetime
from typing import Any

import pytest

from events.envelope.attributes import player_problem
from tests.events.envelope.requests import headers, members, read, text_with, the_envelope, the_pointers

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def test_the_least_event_there_is() -> None:
    event = the_envelope(read(members()))
    assert (event.id, event.source, event.type) == ("e1", "/tests", "level.reached")
    assert (event.subject, event.time, event.datacontenttype, event.dataschema, event.expires) == (None,) * 5
    assert (event.data, event.data_encoding, event.extensions, event.traceparent) == (None, "", "{}", "")
    assert event.expected_version is None


@pytest.mark.parametrize("name", ["id", "source", "type", "specversion"])
@pytest.mark.parametrize("value", ["missing", "null"])
def test_what_is_required_is_asked_for(name: str, value: str) -> None:
    text = text_with("subject", "null", **{name: None}) if value == "missing" else text_with(name, "null")
    assert the_pointers(read(text)) == [f"/{name}"]


@pytest.mark.parametrize("name", ["id", "source", "type", "subject", "partitionkey"])
def test_keys_have_at_most_255_characters(name: str) -> None:
    assert the_envelope(read(members(**{name: "é" * 255})))
    assert the_pointers(read(members(**{name: "é" * 256}))) == [f"/{name}"]
    assert the_pointers(read(members(**{name: ""}))) == [f"/{name}"]


def test_other_attributes_have_at_most_2048_characters() -> None:
    assert the_envelope(read(members(dataschema="x" * 2_048, other="y" * 2_048)))
    assert the_pointers(read(members(dataschema="x" * 2_049, other="y" * 2_049))) == ["/dataschema", "/other"]


@pytest.mark.parametrize("version", ["0.3", "1.1", "1", "2.0"])
def test_another_version_of_cloudevents_is_refused(version: str) -> None:
    assert the_pointers(read(members(specversion=version))) == ["/specversion"]


TEXTS = (
    "id", "source", "type", "specversion", "subject", "dataschema", "datacontenttype", "time", "partitionkey",
    "expirytime",
)  # fmt: skip


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("value", [1, 1.5, True, [], {}, ["1.0"]], ids=repr)
def test_what_must_be_text_is_nothing_else(name: str, value: Any) -> None:
    assert the_pointers(read(members(**{name: value}))) == [f"/{name}"]


@pytest.mark.parametrize("value", ["text", 7, -(2**63), 2**63 - 1, True, False])
def test_an_extension_is_text_a_whole_number_or_a_truth_value(value: Any) -> None:
    assert the_envelope(read(members(mine=value))).extensions == (
        '{"mine":"text"}' if value == "text" else f'{{"mine":{str(value).lower()}}}'
    )


@pytest.mark.parametrize(
    "value",
    ["1.5", "[]", "{}", "1e999", "NaN", "-Infinity", "1" * 30, "9223372036854775808", "1" * 5_000, "1e5"],
)
def test_an_extension_is_nothing_else(value: str) -> None:
    assert the_pointers(read(text_with("mine", value))) == ["/mine"]


@pytest.mark.parametrize(
    ("name", "pointer"),
    [
        ("Loud", "/Loud"),
        ("under_score", "/under_score"),
        ("with-hyphen", "/with-hyphen"),
        ("é", "/é"),
        ("", "/"),
        ("a/b", "/a~1b"),
        ("a~b", "/a~0b"),
        ("x" * 65, f"/{'x' * 64}"),
        (r"\u0000", r"/\x00"),
        (r"\ud800", r"/\x00"),
        (r"a\nb", r"/a\nb"),
    ],
)
def test_a_name_is_of_small_letters_and_digits(name: str, pointer: str) -> None:
    assert the_pointers(read(text_with(name, "1"))) == [pointer]


@pytest.mark.parametrize(
    "name", ["id", "source", "type", "subject", "partitionkey", "time", "mine", "traceparent"]
)
@pytest.mark.parametrize("bad", [r"a\u0000b", r"a\ud800", r"\udc00a", r"\udc00\ud800", "a\ud800b"], ids=ascii)
def test_nul_and_half_surrogate_pairs_are_in_no_attribute(name: str, bad: str) -> None:
    body = text_with(name, f'"{bad}"').encode(errors="surrogatepass")
    assert f"/{name}" in the_pointers(read(body))


def test_whole_surrogate_pairs_are_text() -> None:
    assert the_envelope(read(text_with("subject", r'"\ud83d\ude00"'))).subject == "😀"


def test_clarions_own_sources_are_nobody_elses() -> None:
    assert the_pointers(read(members(source="clarion:server"))) == ["/source"]
    assert the_envelope(read(members(source="/clarion:server")))


def test_everything_that_is_wrong_is_said_at_once() -> None:
    event = members(id=None, source="", type=5, time="noon", expectedversion="x", Loud=1)
    assert sorted(the_pointers(read(event))) == [
        "/Loud",
        "/expectedversion",
        "/id",
        "/source",
        "/time",
        "/type",
    ]


# -- times ----------------------------------------------------------------------------------------

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24T12:00:00Z", NOON),
        ("2026-11-24t12:00:00z", NOON),
        ("2026-11-24T12:00:00+00:00", NOON),
        ("2026-11-24T21:30:00+09:30", NOON),
        ("2026-11-24T12:00:00.5Z", NOON.replace(microsecond=500_000)),
        ("2026-11-24T12:00:00.123456789Z", NOON.replace(microsecond=123_456)),
        ("0001-01-01T00:00:00Z", datetime(1, 1, 1, tzinfo=UTC)),
        ("9999-12-31T23:59:59Z", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_time_is_read_with_its_zone(text: str, moment: datetime) -> None:
    event = the_envelope(read(members(time=text, expirytime=text)))
    assert event.time == event.expires == moment
    assert event.time.tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24T12:00:00",
        "2026-11-24 12:00:00",
        "2026-11-24",
        "12:00:00Z",
        "20261124T120000Z",
        "2026-11-24T12:00Z",
        "2026-11-24T12:00:00.Z",
        "2026-11-24T12:00:00+09",
        "2026-11-24T12:00:00 Europe/Berlin",
        "2026-13-24T12:00:00Z",
        "2026-02-30T12:00:00Z",
        "2026-11-24T25:00:00Z",
        "2026-11-24T12:00:00+99:99",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "٢٠٢٦-11-24T12:00:00Z",
        "1764000000",
        "now",
        " 2026-11-24T12:00:00Z",
        "2026-11-24T12:00:00Z\n",
    ],
)
@pytest.mark.parametrize("name", ["time", "expirytime"])
def test_a_time_without_its_zone_or_that_is_none_is_refused(name: str, text: str) -> None:
    assert the_pointers(read(members(**{name: text}))) == [f"/{name}"]


# -- expectedversion ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "version"),
    [(0, 0), (7, 7), ("0", 0), ("7", 7), ("007", 7), (2**63 - 1, 2**63 - 1), ("9" * 18, 10**18 - 1)],
)
def test_an_expected_version_is_a_number_or_its_digits(value: Any, version: int) -> None:
    assert the_envelope(read(members(expectedversion=value))).expected_version == version


@pytest.mark.parametrize(
    "value", [-1, True, "", "-1", "+1", "1.0", "x", "٣", "²", " 1", "9" * 19, [], {}, 1.0]
)
def test_an_expected_version_is_nothing_else(value: Any) -> None:
    assert set(the_pointers(read(members(expectedversion=value)))) == {"/expectedversion"}


def test_an_expected_version_in_a_header_is_digits() -> None:
    assert the_envelope(read(b"", "", **headers(expectedversion="3"))).expected_version == 3


# -- traceparent ----------------------------------------------------------------------------------


def test_a_valid_traceparent_is_stored() -> None:
    event = the_envelope(read(members(traceparent=TRACE, tracestate="a=b")))
    assert event.traceparent == TRACE
    assert event.extensions == f'{{"traceparent":"{TRACE}","tracestate":"a=b"}}'


@pytest.mark.parametrize(
    "trace",
    [
        "nonsense",
        TRACE.upper(),
        TRACE.replace("00-", "ff-", 1),
        TRACE[:-1],
        f"{TRACE}-x",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
        7,
        True,
    ],
)
def test_an_invalid_traceparent_is_ignored(trace: Any) -> None:
    event = the_envelope(read(members(traceparent=trace, tracestate="a=b")))
    assert event.traceparent == ""
    assert event.extensions == '{"tracestate":"a=b"}'


# -- streams --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("others", "stream"),
    [
        ({}, "/tests#e1"),
        ({"subject": "alice"}, "alice"),
        ({"partitionkey": "guild/4"}, "guild/4"),
        ({"partitionkey": "guild/4", "subject": "alice"}, "guild/4"),
        ({"type": "player.updated", "data": {"player_id": "alice"}}, "alice"),
        (
            {"type": "player.updated", "data": {"player_id": "alice"}, "partitionkey": "k", "subject": "s"},
            "alice",
        ),
        ({"data": {"player_id": "alice"}}, "/tests#e1"),
        ({"type": "players.updated", "subject": "s", "data": {"player_id": "alice"}}, "s"),
        ({"id": "i" * 255, "source": "s" * 255}, f"{'s' * 255}#{'i' * 255}"),
    ],
    ids=lambda value: repr(value)[:40],
)
def test_the_stream_is_partitionkey_else_subject_else_identity_and_a_players_own(
    others: dict[str, Any], stream: str
) -> None:
    assert the_envelope(read(members(**others))).stream == stream


# -- players --------------------------------------------------------------------------------------


@pytest.mark.parametrize("type", ["level.reached", "player.updated"])
@pytest.mark.parametrize(
    "player", ["5", "null", "true", "[]", "{}", "1.5", '""', f'"{"x" * 129}"', r'"a\nb"', r'"\u007f"']
)
def test_a_player_id_that_cannot_be_one_is_refused(type: str, player: str) -> None:
    assert the_pointers(read(text_with("data", f'{{"player_id": {player}}}', type=type))) == [
        "/data/player_id"
    ]


@pytest.mark.parametrize("data", ["missing", "null", "[]", "{}", '"player_id"', '{"player": "alice"}'])
def test_a_players_own_event_names_its_player(data: str) -> None:
    text = text_with("subject", '"s"', type="player.updated")
    if data != "missing":
        text = text_with("data", data, type="player.updated")
    assert the_pointers(read(text)) == ["/data/player_id"]


def test_of_two_player_ids_the_last_counts_as_for_every_reader() -> None:
    text = text_with("data", '{"player_id": "alice", "player_id": 5}')
    assert the_pointers(read(text)) == ["/data/player_id"]


def test_a_payload_that_is_refused_is_not_blamed_for_a_missing_player_too() -> None:
    text = text_with("data", '{"player_id": "alice", "gold": 1e999}', type="player.updated")
    assert the_pointers(read(text)) == ["/data/gold"]


@pytest.mark.parametrize("player", ["a", "x" * 128, "漢字", "a b", "a/b", "😀"])
def test_a_games_own_id_of_a_player_may_be_any_text(player: str) -> None:
    assert player_problem(player) is None


@pytest.mark.parametrize("player", ["", "x" * 129, "a\x00b", "a\x1fb", "a\x7fb", "a\ud800"], ids=ascii)
def test_but_not_empty_nor_long_nor_with_control_characters(player: str) -> None:
    assert player_problem(player)
