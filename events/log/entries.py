"""What goes into the log, and what each item comes to."""

import msgspec

from events.envelope import Envelope


class Entry(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event to append: a validated envelope in the lane of its type."""

    envelope: Envelope
    lane: int


class Appended(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The event is in the log now; its place is final."""

    id: str
    source: str
    stream: str
    version: int
    partition: int  # the partition's number, from 0
    offset: int


class Duplicate(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event with this source and id is in the log since earlier, at this place."""

    id: str
    source: str
    stream: str
    version: int
    partition: int
    offset: int


class Conflict(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """``expectedversion`` is not the version of the stream. Nothing was stored."""

    id: str
    source: str
    stream: str
    expected: int
    actual: int


Outcome = Appended | Duplicate | Conflict
