"""Bodies of requests: JSON that the log and the database can keep, of a bounded size."""

from collections.abc import Mapping
from typing import Any

import msgspec
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from events.envelope.hazards import problems_in
from events.errors import InvalidEvent
from players.errors import BodyTooLarge, BodyUnreadable

BODY_MAX = 64 * 1024  # bytes; the largest that anybody needs is a profile's 16 KiB of attributes
JSON = "application/json"


def body_of(request: Request) -> tuple[bytes, Any]:
    """Return a request's body as it came, and as a value; no body at all is an empty object.

    It is read here, not by DRF, which takes a chunked body (one without Content-Length) for none.

    Raises:
        BodyTooLarge, BodyUnreadable, InvalidEvent, UnsupportedMediaType.
    """
    length = request.headers.get("Content-Length", "")
    if length.isdecimal() and int(length) > BODY_MAX:
        raise BodyTooLarge(BODY_MAX)
    raw = request._request.read(BODY_MAX + 1)
    if not raw.strip():
        return b"", {}
    media = (request.content_type or "").partition(";")[0].strip().lower()
    if media != JSON:
        raise UnsupportedMediaType(media, f"the body must be {JSON}")
    return raw, decoded(raw)


def decoded(raw: bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        BodyTooLarge: over 64 KiB.
        BodyUnreadable: it is not JSON in UTF-8.
        InvalidEvent: NUL, half surrogate pairs, numbers beyond 64 bits, too deep; with pointers.
    """
    if len(raw) > BODY_MAX:
        raise BodyTooLarge(BODY_MAX)
    try:
        text = raw.decode()
        hazards = problems_in(text, "")
        value = None if hazards else msgspec.json.decode(text)
    except ValueError:
        raise BodyUnreadable("the request's body is not JSON in UTF-8") from None
    if hazards:
        raise InvalidEvent(hazards)
    return value


class BoundedJSON(JSONParser):
    """The same for views that read ``request.data``."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Return the body's value; raises as ``decoded``."""
        return decoded(stream.read(BODY_MAX + 1))
