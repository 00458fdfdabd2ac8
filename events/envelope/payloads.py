"""What an event carries: JSON kept to the letter, other text, or bytes as base64. Pure."""

import base64

import msgspec

from events.envelope.attributes import Attributes
from events.envelope.hazards import parseable, problems_in, text_problem

Payload = tuple[str | None, str]
"""The text to keep, and its encoding: '' (no data), 'json', 'text' or 'base64'."""
NOTHING: Payload = (None, "")


def media_of(content_type: object) -> str:
    """Return a content type without its parameters, in small letters."""
    return content_type.partition(";")[0].strip().lower() if isinstance(content_type, str) else ""


def is_json(media: str) -> bool:
    """Tell whether this content type declares JSON; an event that declares nothing means JSON."""
    return not media or media.endswith(("/json", "+json"))


def of_member(raw: msgspec.Raw, attributes: Attributes) -> Payload:
    """Return the payload of a structured event's ``data``.

    Text under a content type that is not JSON is that text, as in binary mode; everything
    else is kept as JSON.
    """
    text = bytes(raw).decode()
    if flaws := problems_in(text, f"{attributes.pointer}/data"):
        attributes.problems += flaws
        return NOTHING
    if text[0] == '"' and not is_json(media_of(attributes.given.get("datacontenttype"))):
        return msgspec.json.decode(text, type=str), "text"
    return text, "json"


def of_base64(raw: msgspec.Raw, attributes: Attributes) -> Payload:
    """Return the payload of a structured event's ``data_base64``."""
    try:
        text = msgspec.json.decode(raw, type=str)
        base64.b64decode(text, validate=True)
    except ValueError:  # msgspec's and binascii's, and what is not ASCII
        attributes.refuse("data_base64", "must be text in base64")
        return NOTHING
    return text, "base64"


def of_body(media: str, body: bytes, attributes: Attributes) -> Payload:
    """Return the payload of a binary mode's body."""
    if not body:
        return NOTHING
    if is_json(media):
        return _of_json(media, body, attributes)
    if media.startswith("text/") and (text := _text(body)) is not None:
        if problem := text_problem(text):
            attributes.refuse("data", problem)
        return text, "text"
    return base64.b64encode(body).decode(), "base64"


def _of_json(media: str, body: bytes, attributes: Attributes) -> Payload:
    """Read JSON; a body that declares nothing (as the CloudEvents SDK sends it) need not be any."""
    try:
        text = parseable(body)
        if flaws := problems_in(text, f"{attributes.pointer}/data"):
            attributes.problems += flaws
            return NOTHING
        msgspec.json.decode(text)
    except ValueError:  # of the parsers, and of UTF-8
        if not media:
            return base64.b64encode(body).decode(), "base64"
        attributes.refuse("data", "is not JSON, as the Content-Type says")
        return NOTHING
    return text, "json"


def _text(body: bytes) -> str | None:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None
