"""Text as it may leave the engine: times, lengths, and no characters that a database refuses. Pure."""

from datetime import UTC, datetime

TITLE_MAX = 200  # characters
BODY_MAX = 4_000  # characters
ELLIPSIS = "…"

_KEPT = "\n\t"
# C0 and C1 controls: PostgreSQL refuses NUL, and no client should meet the others.
_CONTROLS = {code: None for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in _KEPT}


def clean(text: str) -> str:
    """Return the text without control characters and lone surrogates, trimmed."""
    if not text.isprintable():
        text = text.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")
    return text.strip()


def one_line(text: str) -> str:
    """Return the text cleaned, with every run of white space as one space."""
    return " ".join(clean(text).split())


def clip(text: str, limit: int) -> str:
    """Return at most ``limit`` characters; what was cut ends in an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + ELLIPSIS


def rfc3339(time: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC, ``2026-01-31T12:00:00.25Z``, or None for None."""
    if time is None:
        return None
    plain = time.astimezone(UTC).replace(tzinfo=None).isoformat()
    return (plain.rstrip("0") if "." in plain else plain) + "Z"


def type_name(value: object) -> str:
    """Name a JSON value's type as JSON calls it; the value itself stays unsaid."""
    if value is None:
        return "null"
    names = {bool: "boolean", int: "number", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), type(value).__name__)
