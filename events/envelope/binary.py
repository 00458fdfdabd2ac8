"""CloudEvents' binary mode: attributes in ``ce-`` headers, the payload in the body. Pure."""

import contextlib
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from events.envelope.attributes import Attributes
from events.envelope.envelope import Envelope
from events.envelope.payloads import media_of, of_body
from events.errors import InvalidEvent

PREFIX = "ce-"
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def read_binary(content_type: str, headers: Mapping[str, str], body: bytes) -> Envelope | InvalidEvent:
    """Return the event, or what is wrong with it; pointers name attributes as structured mode would."""
    given: dict[str, Any] = {
        name.removeprefix(PREFIX): _decoded(value)
        for name, value in headers.items()
        if name.startswith(PREFIX)
    }
    if content_type:
        given["datacontenttype"] = content_type
    attributes = Attributes(given, "")
    data, encoding = of_body(media_of(content_type), body, attributes)
    try:
        return attributes.envelope(data, encoding)
    except InvalidEvent as invalid:
        return invalid


def _decoded(value: str) -> str:
    """Take a header's quotes off, then its percent-encoding; raw UTF-8 that came as Latin-1 is mended."""
    with contextlib.suppress(UnicodeEncodeError, UnicodeDecodeError):
        value = value.encode("latin-1").decode()
    if quoted := _QUOTED.fullmatch(value):
        value = _ESCAPED.sub(r"\1", quoted[1])
    return unquote(value, errors="surrogateescape")
