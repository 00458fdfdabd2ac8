"""A logged event in CloudEvents' structured form, with its data as it came."""

from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec


class Logged(Protocol):
    """What is needed of a row of the log."""

    event_id: str
    source: str
    type: str
    subject: str | None
    time: datetime | None
    datacontenttype: str | None
    dataschema: str | None
    data: str | None
    data_encoding: str
    extensions: str


def to_cloudevent(row: Logged) -> dict[str, Any]:
    """Return the event as a dictionary to encode with msgspec; JSON data stays the text that came.

    An erased payload is left out.
    """
    event: dict[str, Any] = {"specversion": "1.0", "id": row.event_id, "source": row.source, "type": row.type}
    for name in ("subject", "datacontenttype", "dataschema"):
        if (value := getattr(row, name)) is not None:
            event[name] = value
    if row.time is not None:
        event["time"] = row.time.astimezone(UTC).isoformat().replace("+00:00", "Z")
    event.update(msgspec.json.decode(row.extensions))
    if row.data is not None:
        event.update(_payload(row.data, row.data_encoding))
    return event


def _payload(data: str, encoding: str) -> dict[str, Any]:
    if encoding == "json":
        return {"data": msgspec.Raw(data.encode())}
    return {"data_base64" if encoding == "base64" else "data": data}
