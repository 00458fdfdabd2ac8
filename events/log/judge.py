"""Which items are new, which are repeats, which expect another version. Pure."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime

from events.log.entries import Appended, Conflict, Duplicate, Entry, Outcome
from events.log.rows import SALT_BYTES, Place, Row, build
from events.log.store import Heads, Identity, Known, StreamKey


class Ledger:
    """What one append transaction knows under its locks, and what it adds.

    Items are judged in order, each on its own: a repeat before an expectation, and an
    item of the same transaction counts for those after it.
    """

    def __init__(
        self,
        heads: Mapping[int, Heads],
        numbers: Mapping[int, int],
        known: dict[Identity, Known],
        versions: dict[StreamKey, int],
        recorded: datetime,
    ) -> None:
        """Take the locked heads and all partitions' numbers by partition id, and what was found in the log."""
        self.heads = heads
        self._numbers = numbers
        self.rows: list[Row] = []
        self.raised: dict[int, Heads] = {}
        self.lanes: set[int] = set()
        self._known = known
        self._versions = versions
        self._recorded = recorded

    def judge(self, game_id: int, entries: Sequence[tuple[Entry, int]]) -> list[Outcome]:
        """Return the outcome of each (entry, partition id), in order."""
        salts = os.urandom(SALT_BYTES * len(entries))
        return [
            self._judge(game_id, entry, partition_id, salts[n * SALT_BYTES : (n + 1) * SALT_BYTES])
            for n, (entry, partition_id) in enumerate(entries)
        ]

    def _judge(self, game_id: int, entry: Entry, partition_id: int, salt: bytes) -> Outcome:
        envelope = entry.envelope
        identity = Identity(game_id, envelope.source, envelope.id)
        if (place := self._known.get(identity)) is not None:
            return self._duplicate(identity, place)
        stream = StreamKey(game_id, envelope.stream)
        version = self._versions.get(stream, 0)
        expected = envelope.expected_version
        if expected is not None and expected != version:
            return Conflict(
                id=envelope.id,
                source=envelope.source,
                stream=envelope.stream,
                expected=expected,
                actual=version,
            )
        return self._append(identity, stream, entry, partition_id, salt)

    def _append(
        self, identity: Identity, stream: StreamKey, entry: Entry, partition_id: int, salt: bytes
    ) -> Appended:
        part = self.heads[partition_id]
        version = self._versions.get(stream, 0) + 1
        offset = part.head + 1
        place = Place(identity.game_id, partition_id, offset, entry.lane, version, part.digest)
        row = build(entry.envelope, place, self._recorded, salt)
        part.place(entry.lane, row.digest)
        self.rows.append(row)
        self.raised[partition_id] = part
        self.lanes.add(entry.lane)
        self._versions[stream] = version
        self._known[identity] = Known(stream.stream, version, partition_id, offset)
        return Appended(
            id=identity.event_id,
            source=identity.source,
            stream=stream.stream,
            version=version,
            partition=part.number,
            offset=offset,
        )

    def _duplicate(self, identity: Identity, place: Known) -> Duplicate:
        return Duplicate(
            id=identity.event_id,
            source=identity.source,
            stream=place.stream,
            version=place.version,
            partition=self._numbers[place.partition_id],  # it may lie in one that is not locked here
            offset=place.offset,
        )
