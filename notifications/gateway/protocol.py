"""The socket's words: close codes, limits, what clients may send. Pure."""

from typing import Any

import msgspec
import orjson

SUBPROTOCOL = "clarion.v1"
MESSAGE_MAX = 16 * 1024  # bytes, from the client
WINDOW = 64  # changes without an ack
RESUME_MAX = 1_000  # further behind, loading the inbox is the shorter way
HEARTBEAT_S = 25.0
CONNECT_S = 5.0
NO_ACKS_S = 60.0  # so long a full window may keep changes waiting
ROTATE_S = (39_600.0, 43_200.0)  # 11 to 12 hours
SOCKETS_A_PLAYER = 8  # on one gateway
SOCKETS_A_PROCESS = 20_000
MESSAGES_A_SECOND = 20.0
MESSAGES_BURST = 60.0
DEAR = 5.0  # a message that costs a query counts as so many
DEVICE_MAX = 64  # characters

TOKEN_WRONG, PLAYER_REFUSED, WRONG_VERSION, MALFORMED, REPLACED = 4001, 4002, 4003, 4004, 4005
OVERLOADED, TOO_MANY_SOCKETS, TOO_MANY_MESSAGES, INTERNAL = 4100, 4101, 4102, 4103
ROTATE, TOKEN_EXPIRED, SILENT, NO_ACKS, RESTART = 4200, 4201, 4202, 4203, 4205
BACK_AFTER = {ROTATE: (0, 5), TOKEN_EXPIRED: (0, 2), SILENT: (0, 5), NO_ACKS: (0, 5), RESTART: (2, 45)}
"""Codes after which clients come back as hinted: at a random second in between."""


class Since(msgspec.Struct, frozen=True):
    """Where a client stands."""

    epoch: str
    seq: int
    announcements: int | None = None  # without: only what is announced from now on


class Connect(msgspec.Struct, frozen=True, tag="connect"):
    """The first message."""

    token: str | None = None
    since: Since | None = None
    device: str = ""


class Ack(msgspec.Struct, frozen=True, tag="ack"):
    """Everything up to here is on the device."""

    seq: int


class State(msgspec.Struct, frozen=True, kw_only=True):
    """Some notifications, or all up to a number."""

    ids: list[str] = []
    through: int | None = None


class Seen(State, frozen=True, tag="seen"):
    """Seen."""


class Read(State, frozen=True, tag="read"):
    """Read."""


class Archive(State, frozen=True, tag="archive"):
    """Archived."""


class Sync(msgspec.Struct, frozen=True, tag="sync"):
    """The client sees a gap."""

    since: Since


class Token(msgspec.Struct, frozen=True, tag="token"):
    """A fresh token of the same player."""

    token: str


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """Still here."""


ClientMessage = Connect | Ack | Seen | Read | Archive | Sync | Token | Ping
_decode = msgspec.json.Decoder(ClientMessage).decode
members = msgspec.json.Decoder(dict[str, Any]).decode
_UNREADABLE = (msgspec.DecodeError, ValueError, RecursionError)


def decode(text: str) -> ClientMessage | None:
    """Return a client's message, or None when it is none that the protocol knows."""
    try:
        message: ClientMessage = _decode(text)
    except _UNREADABLE:
        return None
    return message


def kind_of(text: str) -> str | None:
    """Return a message's type, or None when it is no JSON object with a type in it."""
    try:
        kind = members(text).get("type")
    except _UNREADABLE:
        return None
    return kind if isinstance(kind, str) else None


def resume(since: Since | None, *, epoch: str, head: int, announcements: int, forgotten: int = 0) -> str:
    """Tell what a client's cursors are good for: ``ok``, ``new`` without any, ``reset`` when of no use.

    Of no use is what another numbering has given, what lies beyond the heads, what lies so far
    behind that loading the inbox is the shorter way, and what lies before a change that nobody
    can tell any more: ``forgotten`` is the last whose row retention has removed.
    """
    if since is None:
        return "new"
    announced = announcements if since.announcements is None else since.announcements
    told = since.seq >= forgotten
    useful = since.epoch == epoch and told and _near(since.seq, head) and _near(announced, announcements)
    return "ok" if useful else "reset"


def _near(cursor: int, head: int) -> bool:
    return 0 <= cursor <= head <= cursor + RESUME_MAX


def frame(kind: str, **members: Any) -> str:
    """Return a frame of the server's."""
    return orjson.dumps({"type": kind, **members}).decode()
