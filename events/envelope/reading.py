"""One HTTP request to CloudEvents: the mode from its content type, then each event on its own."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from events.envelope.attributes import Attributes
from events.envelope.binary import PREFIX, read_binary
from events.envelope.envelope import Envelope
from events.envelope.hazards import MAX_DEPTH, Problem, escaped, parseable, problems_in
from events.envelope.payloads import NOTHING, media_of, of_base64, of_member
from events.envelope.pieces import elements
from events.errors import EventsError, InvalidEvent

MAX_EVENTS = 1_000
MAX_REQUEST_BYTES = 1024 * 1024
MAX_EVENT_BYTES = 64 * 1024

_object = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Unreadable(EventsError):
    """The body is not JSON of the kind that its mode needs: 400."""


class NoObject(Unreadable):
    """Where an event should be there is JSON of another kind: 400, or in a batch that item's fault."""


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
        InvalidEvent: nested deeper than can be read, and never closed.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise TooLarge(f"the request has {len(body)} bytes; at most {MAX_REQUEST_BYTES} are allowed")
    media = media_of(content_type)
    if media == "application/cloudevents+json":
        return _structured(body)
    if media == "application/cloudevents-batch+json":
        return _batch(body)
    if media.startswith("application/cloudevents"):
        raise NotCloudEvents(f"the event format {media} is not understood; use application/cloudevents+json")
    if any(name.startswith(PREFIX) for name in headers):
        _check_size(len(body), "")
        return Reading(items=[read_binary(content_type, headers, body)], batch=False)
    if media == "application/json":
        return _batch(body) if body.lstrip()[:1] == b"[" else _structured(body)
    raise NotCloudEvents(
        f"{media or 'a request without Content-Type'} is no mode of CloudEvents; send"
        " application/cloudevents+json, application/cloudevents-batch+json, or ce- headers"
    )


def _structured(body: bytes) -> Reading:
    return Reading(items=[_one(_text(body), "")], batch=False)


def _batch(body: bytes) -> Reading:
    items = _items(_text(body))
    if len(items) > MAX_EVENTS:
        raise TooLarge(f"the batch has {len(items)} events; at most {MAX_EVENTS} are allowed")
    return Reading(items=[_item(text, f"/{index}") for index, text in enumerate(items)], batch=True)


def _items(text: str) -> list[str]:
    """Return each event's text. What the parser stops at may be one event's fault: then they are cut apart."""
    try:
        return [bytes(raw).decode() for raw in _array(text)]
    except (RecursionError, msgspec.DecodeError) as error:
        if (found := elements(text)) is not None:
            return found
        if isinstance(error, RecursionError):
            raise InvalidEvent([_too_deep("")]) from None
        raise Unreadable(f"the body is not a JSON array of events: {error}") from None


def _item(text: str, pointer: str) -> Envelope | InvalidEvent:
    try:
        return _one(text, pointer)
    except NoObject as error:
        return InvalidEvent([(pointer, str(error))])


def _one(text: str, pointer: str) -> Envelope | InvalidEvent:
    _check_size(len(text.encode()), pointer)
    try:
        return _from_members(_object(text), pointer)
    except RecursionError:
        return InvalidEvent([_too_deep(pointer)])
    except msgspec.ValidationError as error:
        raise NoObject(f"it is not a JSON object: {error}") from None
    except msgspec.DecodeError as error:
        if flaws := _flaws(text, pointer):
            return InvalidEvent(flaws)
        raise Unreadable(f"it is not JSON: {error}") from None
    except InvalidEvent as invalid:
        return invalid


def _from_members(members: dict[str, msgspec.Raw], pointer: str) -> Envelope:
    data, binary = members.pop("data", None), members.pop("data_base64", None)
    attributes = Attributes(_values(members, pointer), pointer)
    payload = NOTHING
    if data is not None and binary is not None:
        attributes.refuse("data_base64", "cannot be given together with data")
    elif binary is not None:
        payload = of_base64(binary, attributes)
    elif data is not None:
        payload = of_member(data, attributes)
    return attributes.envelope(*payload)


def _values(members: dict[str, msgspec.Raw], pointer: str) -> dict[str, Any]:
    """Decode attributes.

    Raises:
        InvalidEvent: one holds what the parser does not read, such as 1e999.
    """
    values: dict[str, Any] = {}
    for name, raw in members.items():
        try:
            values[name] = msgspec.json.decode(raw)
        except msgspec.DecodeError as error:
            at = f"{pointer}/{escaped(name)}"
            flaws = problems_in(bytes(raw).decode(), at) or [(at, f"cannot be read: {error}")]
            raise InvalidEvent(flaws) from None
    return values


def _flaws(text: str, pointer: str) -> list[Problem]:
    """Say where there is what JavaScript writes and JSON has not, such as NaN; nothing for what is no JSON."""
    try:
        return problems_in(text, pointer)
    except ValueError:
        return []


def _text(body: bytes) -> str:
    try:
        return parseable(body)
    except UnicodeDecodeError as error:
        raise Unreadable(f"the body is not UTF-8 (byte {error.start})") from None


def _too_deep(pointer: str) -> Problem:
    return pointer, f"is nested deeper than {MAX_DEPTH} levels"


def _check_size(size: int, pointer: str) -> None:
    if size > MAX_EVENT_BYTES:
        where = f" {pointer}" if pointer else ""
        raise TooLarge(f"the event{where} has {size} bytes; at most {MAX_EVENT_BYTES} are allowed")
