"""The port between appending and a database: five statements, all inside one short transaction."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from events.log.rows import Row


class Identity(NamedTuple):
    """What makes an event the same event."""

    game_id: int
    source: str
    event_id: str


class StreamKey(NamedTuple):
    """One stream of one game."""

    game_id: int
    stream: str


class Known(NamedTuple):
    """The place of an event that is in the log already."""

    stream: str
    version: int
    partition_id: int
    offset: int


class Heads:
    """A locked partition's heads, raised as events are placed. ``lanes`` and ``counts`` are indexed by lane."""

    __slots__ = ("counts", "digest", "game_id", "head", "id", "lanes", "number")

    def __init__(self, row: tuple[int, int, int, int, int, int, int, int, int, int, bytes]) -> None:
        """Take (id, game, number, head, three lanes' heads, three lanes' counts, digest)."""
        self.id, self.game_id, self.number, self.head = row[:4]
        self.lanes, self.counts = list(row[4:7]), list(row[7:10])
        self.digest = bytes(row[10])

    def place(self, lane: int, digest: bytes) -> None:
        """Count one more event, the next in this lane."""
        self.head += 1
        self.lanes[lane] = self.head
        self.counts[lane] += 1
        self.digest = digest


class Store(ABC):
    """One database's way to do it. Every method runs inside the append transaction.

    Errors are Django's (``django.db.Error``); the caller sorts them by SQLSTATE.
    """

    @abstractmethod
    def begin(self) -> None:
        """Bound the transaction: how long it may wait for a lock, run a statement, idle."""

    @abstractmethod
    def lock(self, partition_ids: Sequence[int]) -> list[Heads]:
        """Lock these partitions in the order of their ids, and return their heads as committed."""

    @abstractmethod
    def find(self, identities: Sequence[Identity]) -> dict[Identity, Known]:
        """Return the places of those that are in the log already."""

    @abstractmethod
    def versions(self, streams: Sequence[StreamKey]) -> dict[StreamKey, int]:
        """Return the current version of each stream that has any event."""

    @abstractmethod
    def insert(self, rows: Sequence[Row]) -> None:
        """Insert the rows."""

    @abstractmethod
    def raise_heads(self, heads: Sequence[Heads]) -> None:
        """Write the partitions' new heads."""
