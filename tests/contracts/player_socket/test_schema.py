"""The published schema says what the server does: neither more nor less."""

import json
import re
from typing import Any, get_args

import jsonschema
import jsonschema_rs
import msgspec
import pytest
from django.conf import settings
from django.test import Client

from notifications.gateway import protocol
from notifications.gateway.protocol import (
    Ack,
    Archive,
    ClientMessage,
    Connect,
    Ping,
    Read,
    Seen,
    Since,
    Sync,
    Token,
)
from tests.contracts.player_socket.line import SCHEMA, validator

DOCUMENT: dict[str, Any] = json.loads(SCHEMA.read_text())
AN_ID = "6f9d0c7e-6d0f-5a57-9a55-7b1f0c6f3f2a"


def types_of(side: str) -> set[str]:
    """Return the types of a side's messages, as the schema has them."""
    names = [each["$ref"].removeprefix("#/$defs/") for each in DOCUMENT["$defs"][side]["oneOf"]]
    return {DOCUMENT["$defs"][name]["properties"]["type"]["const"] for name in names}


def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(DOCUMENT)
    assert DOCUMENT["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_every_reference_leads_somewhere_and_nothing_is_left_over() -> None:
    used = set(re.findall(r'"#/\$defs/(\w+)"', SCHEMA.read_text()))
    assert used | {"closeCode"} == DOCUMENT["$defs"].keys()


def test_it_is_served_beside_the_openapi_document_which_names_it() -> None:
    assert settings.SPECTACULAR_SETTINGS["EXTERNAL_DOCS"]["url"] == "/api/schema/socket.json"
    answer = Client().get("/api/schema/socket.json")
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/schema+json")
    assert answer.json() == DOCUMENT
    assert answer["Access-Control-Allow-Origin"] == "*"
    assert Client().post("/api/schema/socket.json").status_code == 405


def test_it_knows_every_message_that_the_server_understands() -> None:
    tags = {each.__struct_config__.tag for each in get_args(ClientMessage)}
    assert types_of("fromClient") == tags


def test_it_knows_every_close_code() -> None:
    listed = {each["const"] for each in DOCUMENT["$defs"]["closeCode"]["oneOf"]}
    ours = {value for name, value in vars(protocol).items() if name.isupper() and value in range(4000, 5000)}
    assert listed == ours


@pytest.mark.parametrize(
    "message",
    [
        Connect(token="t"),
        Connect(token="t", since=Since(epoch="e1", seq=41, announcements=7), device="d-81"),
        Ack(seq=45),
        Seen(through=12),
        Read(ids=[AN_ID]),
        Archive(ids=[AN_ID]),
        Sync(since=Since(epoch="e1", seq=4, announcements=0)),
        Token(token="t"),
        Ping(),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_the_server_understands_is_valid(message: ClientMessage) -> None:
    sent = {name: each for name, each in msgspec.to_builtins(message).items() if each not in (None, [])}
    validator("fromClient").validate(sent)
    assert protocol.decode(json.dumps(sent)) == message


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"type": "dance"},
        {"type": "connect", "token": 7},
        {"type": "connect", "since": {"seq": 1}},
        {"type": "ack"},
        {"type": "ack", "seq": "1"},
        {"type": "ack", "seq": 1.5},
        {"type": "sync"},
        {"type": "token"},
        {"type": "read", "ids": AN_ID},
    ],
    ids=str,
)
def test_what_the_server_does_not_understand_is_not_valid(message: dict[str, Any]) -> None:
    assert not validator("fromClient").is_valid(message)
    assert protocol.decode(json.dumps(message)) is None


@pytest.mark.parametrize(
    "message",
    [
        {"type": "read"},
        {"type": "read", "ids": []},
        {"type": "read", "ids": [AN_ID], "through": 3},
        {"type": "read", "ids": ["n1"]},
        {"type": "read", "ids": [AN_ID] * 201},
        {"type": "seen", "through": -1},
        {"type": "archive", "through": 3},
    ],
    ids=range(7),
)
def test_what_the_server_refuses_is_not_valid(message: dict[str, Any]) -> None:
    assert not validator("fromClient").is_valid(message)


def test_unknown_fields_are_valid_because_they_are_ignored() -> None:
    validator("fromClient").validate({"type": "ping", "mood": "fine"})
    validator("fromServer").validate({"type": "pong", "now": "2026-11-25T12:00:00Z", "mood": "fine"})


@pytest.mark.parametrize(
    "changes",
    [
        {"from": -1},
        {"items": None},
        {"unread": -1},
        {"unread": "3"},
        {"items": [{}]},
        {"announcements_read": []},
    ],
    ids=str,
)
def test_a_frame_of_the_servers_that_breaks_the_contract_is_not_valid(changes: dict[str, Any]) -> None:
    """Every test of the gateway checks what it hears; this is what they rely on."""
    frame = {"type": "changes", "from": 1, "to": 2, "unread": 0, "items": []}
    validator("fromServer").validate(frame)
    with pytest.raises(jsonschema_rs.ValidationError):
        validator("fromServer").validate({**frame, **changes})
