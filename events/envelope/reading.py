"""One HTTP request to CloudEvents: the mode from its content type, then each event on its own."""

import base64
import binascii
import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import msgspec

from events.envelope.attributes import Attributes
from events.envelope.envelope import Envelope
from events.envelope.hazards import MAX_DEPTH, parseable, problems_in
from events.errors import EventsError, InvalidEvent

MAX_EVENTS = 1_000
MAX_REQUEST_BYTES = 1024 * 1024
MAX_EVENT_BYTES = 64 * 1024

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode
_PREFIX = "ce-"


class Unreadable(EventsError):
    """The body is not JSON of the kind that its mode needs: 400."""


class NotCloudEvents(EventsError):
    """The content type is no mode of CloudEvents that is understood here: 415."""


class TooLarge(EventsError):
    """The request, or one event of it, is larger than allowed: 413."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a request holds: each event, or what is wrong with it, in order."""

    items: list[Envelope | InvalidEvent]
    batch: bool  # whether the answer speaks of a batch


def read_request(content_type: str, headers: Mapping[str, str], body: bytes) -> Reading:
    """Read a request's events.

    ``headers`` maps lower-case names to values (only ``ce-*`` are looked at). Pointers of
    problems are RFC 6901 into the body; in binary mode they name attributes.

    Raises:
        TooLarge: more than 1 MiB, 1,000 events, or 64 KiB in one event.
        NotCloudEvents: an unknown format, or no mode of CloudEvents.
        Unreadable: not JSON, or not of the mode's kind.
        InvalidEvent: a batch that is nested too deep to be read at all.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise TooLarge(f"the request has {len(body)} bytes; at most {MAX_REQUEST_BYTES} are allowed")
    media = content_type.partition(";")[0].strip().lower()
    if media == "application/cloudevents+json":
        return _structured(body)
    if media == "application/cloudevents-batch+json":
        return _batch(body)
    if media.startswith("application/cloudevents"):
        raise NotCloudEvents(f"the event format {media} is not understood; use application/cloudevents+json")
    if any(name.startswith(_PREFIX) for name in headers):
        return _binary(content_type, media, headers, body)
    if media == "application/json":
        return _batch(body) if body.lstrip()[:1] == b"[" else _structured(body)
    raise NotCloudEvents(
        f"{media or 'a request without Content-Type'} is no mode of CloudEvents; send"
        " application/cloudevents+json, application/cloudevents-batch+json, or ce- headers"
    )


def _structured(body: bytes) -> Reading:
    return Reading(items=[_one(_text(body), "")], batch=False)


def _batch(body: bytes) -> Reading:
    try:
        raws = _array(_text(body))
    except RecursionError:
        raise _too_deep("") from None
    except msgspec.DecodeError as error:
        raise Unreadable(f"the body is not a JSON array of events: {error}") from None
    if len(raws) > MAX_EVENTS:
        raise TooLarge(f"the batch has {len(raws)} events; at most {MAX_EVENTS} are allowed")
    return Reading(items=[_item(raw, f"/{index}") for index, raw in enumerate(raws)], batch=True)


def _item(raw: msgspec.Raw, pointer: str) -> Envelope | InvalidEvent:
    try:
        return _one(bytes(raw).decode(), pointer)
    except Unreadable as error:
        return InvalidEvent([(pointer, str(error))])


def _one(text: str, pointer: str) -> Envelope | InvalidEvent:
    _check_size(len(text.encode()), pointer)
    try:
        members = _object(text)
    except RecursionError:
        return _too_deep(pointer)
    except msgspec.DecodeError as error:
        raise Unreadable(f"it is not a JSON object: {error}") from None
    try:
        return _from_members(members, pointer)
    except InvalidEvent as invalid:
        return invalid


def _from_members(members: dict[str, msgspec.Raw], pointer: str) -> Envelope:
    data, binary = members.pop("data", None), members.pop("data_base64", None)
    attributes = Attributes(_values(members, pointer), pointer)
    if data is not None and binary is not None:
        attributes.refuse("data_base64", "cannot be given together with data")
    if binary is not None:
        return attributes.envelope(_base64(binary, attributes), "base64")
    if data is None:
        return attributes.envelope(None, "")
    text = bytes(data).decode()
    attributes.problems += problems_in(text, f"{pointer}/data")
    return attributes.envelope(text if not attributes.problems else None, "json")


def _values(members: dict[str, msgspec.Raw], pointer: str) -> dict[str, Any]:
    """Decode attributes by Python's parser, which keeps what is wrong for us to point at."""
    values: dict[str, Any] = {}
    for name, raw in members.items():
        try:
            values[name] = msgspec.json.decode(raw)
        except (msgspec.DecodeError, ValueError):
            values[name] = _lenient(bytes(raw).decode(), f"{pointer}/{name}")
    return values


def _lenient(text: str, pointer: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidEvent([(pointer, "is not JSON")]) from None


def _base64(raw: msgspec.Raw, attributes: Attributes) -> str | None:
    try:
        text = msgspec.json.decode(raw, type=str)
        base64.b64decode(text, validate=True)
    except (msgspec.DecodeError, msgspec.ValidationError, binascii.Error, ValueError):
        attributes.refuse("data_base64", "must be text in base64")
        return None
    return text


def _binary(content_type: str, media: str, headers: Mapping[str, str], body: bytes) -> Reading:
    _check_size(len(body), "")
    given: dict[str, Any] = {}
    for name, value in headers.items():
        if name.startswith(_PREFIX):
            given[name.removeprefix(_PREFIX)] = _decoded(value)
    if content_type:
        given["datacontenttype"] = content_type
    attributes = Attributes(given, "")
    try:
        data, encoding = _payload(media, body, attributes)
        return Reading(items=[attributes.envelope(data, encoding)], batch=False)
    except InvalidEvent as invalid:
        return Reading(items=[invalid], batch=False)


def _payload(media: str, body: bytes, attributes: Attributes) -> tuple[str | None, str]:
    if not body:
        return None, ""
    if media == "application/json" or media.endswith("+json"):
        return _json_payload(body, attributes), "json"
    if media.startswith("text/"):
        try:
            text = body.decode()
        except UnicodeDecodeError:
            return base64.b64encode(body).decode(), "base64"
        if "\x00" in text:
            attributes.refuse("data", "holds a NUL character")
        return text, "text"
    return base64.b64encode(body).decode(), "base64"


def _json_payload(body: bytes, attributes: Attributes) -> str | None:
    try:
        text = parseable(body.decode())
        json.loads(text)
    except RecursionError:
        attributes.refuse("data", "is nested too deep")
        return None
    except ValueError:  # of the parser, and of UTF-8
        attributes.refuse("data", "is not JSON, as the Content-Type says")
        return None
    attributes.problems += problems_in(text, "/data")
    return None if attributes.problems else text


def _decoded(value: str) -> str:
    """Undo the percent-encoding of a ce- header; raw UTF-8 that came as Latin-1 is mended."""
    with contextlib.suppress(UnicodeEncodeError, UnicodeDecodeError):
        value = value.encode("latin-1").decode()
    return unquote(value, errors="surrogateescape")


def _text(body: bytes) -> str:
    try:
        return parseable(body.decode())
    except UnicodeDecodeError as error:
        raise Unreadable(f"the body is not UTF-8 (byte {error.start})") from None


def _too_deep(pointer: str) -> InvalidEvent:
    return InvalidEvent([(pointer, f"is nested deeper than {MAX_DEPTH} levels")])


def _check_size(size: int, pointer: str) -> None:
    if size > MAX_EVENT_BYTES:
        where = f" {pointer}" if pointer else ""
        raise TooLarge(f"the event{where} has {size} bytes; at most {MAX_EVENT_BYTES} are allowed")
