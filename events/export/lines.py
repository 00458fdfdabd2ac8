"""One event as one line: a CloudEvent with Clarion's attributes, and the way back. Pure.

``clarionenvelope`` is the JSON text that the chain hashes; ``clarionsalt`` and the payload
prove ``clarionpayload``; that, the envelope and ``clarionprevious`` prove ``clariondigest``.
JSON data that came with line breaks stands in ``data`` without them, and as it came in
``clarionraw``. An erased payload is left out, and ``clarionerased`` says so.
"""

from hashlib import sha256
from typing import Any

import msgspec

from events.envelope import to_cloudevent
from events.errors import ExportBroken
from events.log import digests
from events.log.rows import HASHED, hashed
from events.models import Event

_encode = msgspec.json.Encoder().encode


class Line(msgspec.Struct):
    """What is read of a line."""

    id: str
    source: str
    type: str
    clarionoffset: int
    clarionenvelope: str
    clarionpayload: str
    clarionprevious: str
    clariondigest: str
    clarionsalt: str = ""
    clarionraw: str | None = None
    clarionerased: bool = False
    data: msgspec.Raw = msgspec.Raw()  # empty where there is none
    data_base64: str | None = None


_decode = msgspec.json.Decoder(Line).decode


def line_of(row: Event, previous: bytes) -> bytes:
    """Return an event's line, its end included; ``previous`` is the digest before it."""
    values = {name: getattr(row, name) for name in HASHED}
    event: dict[str, Any] = to_cloudevent(row)
    breaks = row.data_encoding == "json" and row.data is not None and ("\n" in row.data or "\r" in row.data)
    if breaks and row.data is not None:  # within JSON they can only stand between its parts
        event["data"] = msgspec.Raw(row.data.replace("\n", " ").replace("\r", " ").encode())
        event["clarionraw"] = row.data
    if row.data is None and row.salt is None:
        event["clarionerased"] = True
    event |= {
        "clarionoffset": row.offset,
        "clarionstream": row.stream,
        "clarionversion": row.version,
        "clarionrecorded": row.recorded.isoformat(),
        "clarionenvelope": _encode(hashed(values)).decode(),
        "clarionsalt": bytes(row.salt).hex() if row.salt is not None else "",
        "clarionpayload": bytes(row.payload_digest).hex(),
        "clarionprevious": previous.hex(),
        "clariondigest": bytes(row.digest).hex(),
    }
    return _encode(event) + b"\n"


def checked(text: bytes) -> Line:
    """Return a line that proves itself.

    Raises:
        ExportBroken: it is none, or a digest in it is not that of what it says.
    """
    try:
        line = _decode(text)
        envelope = dict(zip(HASHED, msgspec.json.decode(line.clarionenvelope), strict=True))
        payload, previous = bytes.fromhex(line.clarionpayload), bytes.fromhex(line.clarionprevious)
    except (ValueError, TypeError) as error:
        raise ExportBroken(f"a line is not one of an export ({type(error).__name__})") from None
    problem = _problem(line, envelope, payload, previous)
    if problem:
        raise ExportBroken(f"the event at offset {line.clarionoffset} {problem}")
    return line


def _problem(line: Line, envelope: dict[str, Any], payload: bytes, previous: bytes) -> str:
    chain = sha256(previous + line.clarionenvelope.encode() + payload).hexdigest()
    if chain != line.clariondigest:
        return "is not the one that was appended: its digest differs"
    said = (line.id, line.source, line.type, line.clarionoffset)
    if said != tuple(envelope[name] for name in ("event_id", "source", "type", "offset")):
        return "says other than its envelope"
    if line.clarionerased:
        return "is called erased and has data" if data_of(line, envelope["data_encoding"]) is not None else ""
    salt = bytes.fromhex(line.clarionsalt)
    if digests.payload_digest(salt, data_of(line, envelope["data_encoding"])) != payload:
        return "has another payload than was appended"
    return ""


def data_of(line: Line, encoding: str) -> str | None:
    """Return the payload as the log keeps it."""
    if line.clarionraw is not None:
        return line.clarionraw
    if line.data_base64 is not None:
        return line.data_base64
    if not (text := bytes(line.data)):
        return None
    return text.decode() if encoding == "json" else str(msgspec.json.decode(text))
