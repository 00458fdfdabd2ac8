"""The public CloudEvents SDK, used as its own documentation shows, against a server that really runs."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import requests
from cloudevents.core.bindings.http import (
    HTTPMessage,
    from_http_event,
    to_binary_event,
    to_structured_event,
)
from cloudevents.core.v1.event import CloudEvent
from cloudevents.v1 import conversion
from cloudevents.v1.http import CloudEvent as FirstCloudEvent

from tests.config.processes import MANAGE, Up, finished
from tests.events.envelope.requests import BATCH, headers, members

pytestmark = pytest.mark.embedded
PATIENCE_S = 30


class Running:
    """A server of a game, and a key of its."""

    def __init__(self, up: Up, key: str) -> None:
        self.address = f"{up.url}/api/v1/events"
        self.key = {"Authorization": f"Bearer {key}"}

    def takes(self, message: HTTPMessage) -> dict[str, Any]:
        """Post a message as the SDK's documentation does; return the place that it was given."""
        answer = requests.post(
            self.address, data=message.body, headers={**message.headers, **self.key}, timeout=PATIENCE_S
        )
        assert answer.status_code == 201, answer.text
        return dict(answer.json())

    def post(self, content: Any, content_type: str = "", **given: str) -> httpx.Response:
        sent = {**self.key, **given, **({"Content-Type": content_type} if content_type else {})}
        return httpx.post(self.address, content=content, headers=sent, timeout=PATIENCE_S)

    def given_back(self, place: dict[str, Any]) -> dict[str, Any]:
        """Return the event that stands at a place."""
        query = {"stream": place["stream"]}
        answer = httpx.get(self.address, params=query, headers=self.key, timeout=PATIENCE_S)
        (event,) = [item["event"] for item in answer.json()["items"] if item["version"] == place["version"]]
        return dict(event)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    data = tmp_path_factory.mktemp("sdk")
    with Up(data, "--no-demo") as up:
        made = finished(MANAGE, "creategame", "arena", CLARION_DATA=str(data))
        assert made.returncode == 0, made.stderr
        key = finished(MANAGE, "apikey", "arena", "--name", "sdk", CLARION_DATA=str(data))
        assert key.returncode == 0, key.stderr
        yield Running(up, key.stdout.strip())
        assert up.stop()[0] == 0


@pytest.fixture
def documented() -> CloudEvent:
    """The event of the SDK's documentation; its id is made, there is no time and no content type."""
    attributes = {"type": "com.example.sampletype1", "source": "https://example.com/event-producer"}
    return CloudEvent(attributes, {"message": "Hello World!"})


@pytest.mark.parametrize("to_message", [to_binary_event, to_structured_event])
def test_the_documented_event_is_accepted_in_both_modes(
    server: Running, documented: CloudEvent, to_message: Any
) -> None:
    place = server.takes(to_message(documented))
    event = server.given_back(place)
    assert event["data"] == {"message": "Hello World!"}, "a body without Content-Type is JSON to the SDK"
    assert (event["id"], event["type"]) == (documented.get_id(), "com.example.sampletype1")


def test_an_event_is_the_same_in_both_modes_of_the_sdk(server: Running, documented: CloudEvent) -> None:
    first = server.takes(to_binary_event(documented))
    message = to_structured_event(documented)
    answer = requests.post(
        server.address, data=message.body, headers={**message.headers, **server.key}, timeout=PATIENCE_S
    )
    assert (answer.status_code, answer.json()) == (200, {**first, "status": "duplicate"})


@pytest.mark.parametrize("to_message", [to_binary_event, to_structured_event])
@pytest.mark.parametrize(
    ("content_type", "data"),
    [
        ("application/json", {"player_id": "alice", "é": "漢 😀"}),
        ("application/vnd.game+json", {"a": 1}),
        ("text/plain", "Grüße, 100 %"),
        ("image/png", b"\x89PNG\x00\xff"),
    ],
)
def test_every_attribute_and_every_kind_of_data_come_back_to_the_sdk(
    server: Running, to_message: Any, content_type: str, data: Any
) -> None:
    event = CloudEvent(
        {
            "type": "level.reached", "source": "/my game/é€😀", "subject": '100 % "sure"', "partitionkey": "alice",
            "time": datetime(2026, 11, 24, 12, tzinfo=UTC), "datacontenttype": content_type,
            "dataschema": "https://example.com/s", "correlationid": "c-1",
        },
        data,
    )  # fmt: skip
    place = server.takes(to_message(event))
    assert place["stream"] == "alice"
    body = json.dumps(server.given_back(place)).encode()
    back = from_http_event(HTTPMessage({"content-type": "application/cloudevents+json"}, body))
    assert back.get_attributes() == event.get_attributes()
    assert back.get_data() == data


@pytest.mark.parametrize("to_message", [conversion.to_binary, conversion.to_structured])
def test_version_1_of_the_sdk_is_accepted_too(server: Running, to_message: Any) -> None:
    attributes = {"type": "com.example.sampletype1", "source": "https://example.com/event-producer"}
    event = FirstCloudEvent(attributes, {"message": "Hello World!"})
    given, body = to_message(event)
    back = server.given_back(server.takes(HTTPMessage(given, body)))
    assert (back["id"], back["data"]) == (event["id"], {"message": "Hello World!"})
    assert back["time"].endswith("Z")


# -- what only a real server shows ------------------------------------------------------------------


def test_a_body_in_pieces_without_a_length_is_read(server: Running) -> None:
    text = json.dumps([members(id="chunk-1"), members(id="chunk-2")]).encode()
    answer = server.post(iter([text[:20], text[20:40], text[40:]]), BATCH)
    assert "content-length" not in answer.request.headers
    assert (answer.status_code, answer.json()["appended"]) == (200, 2)


def test_a_body_in_pieces_that_is_too_large_is_refused(server: Running) -> None:
    answer = server.post(iter([b"["] + [b" " * 65_536] * 17), BATCH)
    assert "content-length" not in answer.request.headers
    assert (answer.status_code, answer.json()["type"]) == (413, "/problems/too-large")
    assert server.post(b"[]", BATCH).status_code == 200, "the next one is served"


def test_a_length_that_is_too_large_is_refused(server: Running) -> None:
    answer = server.post(b"[" + b" " * 1_048_576, BATCH)
    assert (answer.status_code, answer.headers["Content-Type"]) == (413, "application/problem+json")


def test_raw_and_encoded_headers_mean_the_same(server: Running) -> None:
    encoded = server.post(b"", "", **headers(id="h1", subject="Euro%20%E2%82%AC"))
    raw = httpx.post(
        server.address,
        headers=[
            *((name.encode(), value.encode()) for name, value in {**server.key, **headers(id="h2")}.items()),
            (b"CE-Subject", '"Euro €"'.encode()),
        ],
        timeout=PATIENCE_S,
    )
    assert encoded.json()["stream"] == raw.json()["stream"] == "Euro €"


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_refusal_of_another_method_is_told(server: Running, method: str) -> None:
    answer = httpx.request(method, server.address, timeout=PATIENCE_S)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "application/problem+json")
    assert answer.json()["type"] == "/problems/unauthorized"
