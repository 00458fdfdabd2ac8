"""CloudEvents' context attributes: names, types, lengths. Pure."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from events.envelope.envelope import Envelope
from events.envelope.hazards import INT_MIN, Problem, text_problem
from events.errors import InvalidEvent

NAME_MAX = 64
KEY_MAX = 255  # id, source, type, subject, partitionkey
TEXT_MAX = 2_048  # every other attribute
PLAYER_MAX = 128
VERSION_MAX = 2**63 - 1
OWN_PREFIX = "clarion:"
PLAYER_TYPES = "player."

_NAME = re.compile(r"[a-z0-9]+")
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
_TRACEPARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_COLUMNS = frozenset(
    {"id", "source", "type", "subject", "time", "datacontenttype", "dataschema", "specversion"}
)
_REQUIRED = ("id", "source", "specversion", "type")
_KEYS = frozenset({"id", "source", "type", "subject", "partitionkey"})


class _WithPlayer(msgspec.Struct):
    player_id: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_player_of = msgspec.json.Decoder(_WithPlayer).decode
_encode = msgspec.json.Encoder(order="sorted").encode


class Attributes:
    """Reads one event's attributes and collects what is wrong with them."""

    def __init__(self, given: Mapping[str, Any], pointer: str) -> None:
        """``given`` holds the attributes as decoded values; ``pointer`` is the event's place in the body."""
        self.given = given
        self.pointer = pointer
        self.problems: list[Problem] = []

    def envelope(self, data: str | None, encoding: str) -> Envelope:
        """Return the envelope with this payload.

        Raises:
            InvalidEvent: with every problem found.
        """
        self._names_and_types()
        player = self._player(data, encoding)
        time, expires = self._time("time"), self._time("expirytime")
        expected = self._expected_version()
        if self.problems:
            raise InvalidEvent(self.problems)
        given = self.given
        return Envelope(
            id=given["id"],
            source=given["source"],
            type=given["type"],
            subject=given.get("subject"),
            time=time,
            datacontenttype=given.get("datacontenttype"),
            dataschema=given.get("dataschema"),
            data=data,
            data_encoding=encoding,
            stream=player if given["type"].startswith(PLAYER_TYPES) and player else self._stream(),
            expected_version=expected,
            expires=expires,
            traceparent=self._traceparent(),
            extensions=self._extensions(),
        )

    def refuse(self, name: str, detail: str) -> None:
        """Note a problem with an attribute or with ``data``."""
        self.problems.append((f"{self.pointer}/{name}", detail))

    def _names_and_types(self) -> None:
        for name in _REQUIRED:
            if self.given.get(name) is None:
                self.refuse(name, "is required")
        for name, value in self.given.items():
            if value is not None:
                self._name_and_type(name, value)
        if isinstance(version := self.given.get("specversion"), str) and version != "1.0":
            self.refuse("specversion", 'must be "1.0"')
        if str(self.given.get("source", "")).startswith(OWN_PREFIX):
            self.refuse("source", f"must not begin with {OWN_PREFIX}: that is Clarion itself")

    def _name_and_type(self, name: str, value: Any) -> None:
        if len(name) > NAME_MAX or not _NAME.fullmatch(name):
            self.refuse(_shown(name), f"is no attribute name: up to {NAME_MAX} of a-z and 0-9")
        elif isinstance(value, str):
            self._text(name, value)
        elif name in _COLUMNS or name in {"partitionkey", "expirytime"}:
            self.refuse(name, f"must be text, not {_kind(value)}")
        elif not isinstance(value, bool | int):
            self.refuse(name, f"must be text, a whole number or a truth value, not {_kind(value)}")
        elif not INT_MIN <= value <= VERSION_MAX:
            self.refuse(name, "is a number that 64 bits cannot hold")

    def _text(self, name: str, value: str) -> None:
        limit = KEY_MAX if name in _KEYS or name == "datacontenttype" else TEXT_MAX
        if problem := text_problem(value):
            self.refuse(name, problem)
        elif not value:
            self.refuse(name, "is empty")
        elif len(value) > limit:
            self.refuse(name, f"has {len(value)} characters; at most {limit} are allowed")

    def _time(self, name: str) -> datetime | None:
        value = self.given.get(name)
        if not isinstance(value, str):
            return None
        moment = moment_of(value)
        if moment is None:
            self.refuse(name, "must be a time with its zone as in 2026-11-24T12:00:00Z (RFC 3339)")
        return moment

    def _expected_version(self) -> int | None:
        value = self.given.get("expectedversion")
        if value is None:
            return None
        if (
            isinstance(value, str)
            and value.isascii()
            and value.isdigit()
            and len(value) < len(str(VERSION_MAX))
        ):
            return int(value)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= VERSION_MAX:
            return value
        self.refuse("expectedversion", "must be a whole number from 0, or its decimal digits as text")
        return None

    def _player(self, data: str | None, encoding: str) -> str | None:
        """Return ``data.player_id``: usable wherever it is given, and required by player.* types."""
        is_players = str(self.given.get("type", "")).startswith(PLAYER_TYPES)
        player: Any = msgspec.UNSET
        if encoding == "json" and data and data.lstrip().startswith("{"):
            player = _player_of(data).player_id
        if player is msgspec.UNSET:
            if is_players and not self._refused_in("data"):
                self.refuse("data/player_id", f"is required by types that begin with {PLAYER_TYPES}")
            return None
        value = msgspec.json.decode(player)
        if problem := player_problem(value):
            self.refuse("data/player_id", problem)
            return None
        return str(value)

    def _refused_in(self, name: str) -> bool:
        return any(at.startswith(f"{self.pointer}/{name}") for at, _ in self.problems)

    def _stream(self) -> str:
        given = self.given
        return str(given.get("partitionkey") or given.get("subject") or f"{given['source']}#{given['id']}")

    def _traceparent(self) -> str:
        """Return a valid traceparent; an invalid one is ignored, as W3C Trace Context wants it."""
        value = self.given.get("traceparent")
        return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else ""

    def _extensions(self) -> str:
        others = {
            name: value for name, value in self.given.items() if name not in _COLUMNS and value is not None
        }
        if not self._traceparent():
            others.pop("traceparent", None)
        return _encode(others).decode() if others else "{}"


def moment_of(text: str) -> datetime | None:
    """Return the time of an RFC 3339 text, in UTC; None when it is none or has no zone."""
    if not _RFC3339.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def player_problem(value: Any) -> str | None:
    """Return what is wrong with a player's id, or None."""
    if not isinstance(value, str):
        return f"must be text, not {_kind(value)}"
    if not value or len(value) > PLAYER_MAX:
        return f"must have 1 to {PLAYER_MAX} characters, not {len(value)}"
    if _CONTROL.search(value):
        return "holds a control character"
    return text_problem(value)


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    kinds = {bool: "a truth value", int: "a number", float: "a number", str: "text", list: "an array"}
    return kinds.get(type(value), "an object")


def _shown(name: str) -> str:
    printable = name if name.isprintable() else name.encode("unicode_escape").decode()
    return printable[:NAME_MAX].replace("~", "~0").replace("/", "~1")
