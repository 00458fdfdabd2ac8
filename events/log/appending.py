"""Appending: one short transaction for all callers that wait, and an answer for each."""

import uuid
from collections.abc import Sequence
from concurrent.futures import Future
from datetime import UTC, datetime

from django.db import connection, transaction

from events import hints
from events.breakers import DATABASE
from events.connections import give_back
from events.envelope import Envelope
from events.errors import InsideTransaction, UnknownGame
from events.log.entries import Entry, Outcome
from events.log.group import Call, Committer
from events.log.judge import Ledger
from events.log.partitions import forget, number_of, partition_ids
from events.log.postgres import PostgresStore
from events.log.sqlite import SQLiteStore
from events.log.store import Identity, Store, StreamKey

OWN_SOURCE = "clarion:server"
"""Ingestion refuses sources that begin with ``clarion:``."""


def append(game_id: int, entries: Sequence[Entry]) -> list[Outcome]:
    """Append events and wait for their outcomes, one for each entry, in order.

    Raises:
        InsideTransaction: the caller is inside a transaction.
        UnknownGame: there is no such game.
        InvalidEvent: the database refuses the data, which validation should have refused before.
        LogUnavailable: unknown whether they were stored; send the same ids again.
    """
    if connection.in_atomic_block:
        raise InsideTransaction
    give_back()
    return submit(game_id, entries).result()


def submit(game_id: int, entries: Sequence[Entry]) -> "Future[list[Outcome]]":
    """Append events without waiting; the future raises what ``append`` raises.

    For callers that hold no database connection, such as the ingestion view on its event loop.
    """
    return committer.submit(game_id, entries)


def append_own(
    *,
    game_id: int,
    event_id: str,
    type: str,
    stream: str,
    data: str,
    lane: int,
    source: str = OWN_SOURCE,
    time: datetime | None = None,
) -> Outcome:
    """Append one event that Clarion itself causes; nobody else may use its sources. Raises as ``append``.

    ``time`` is when it happened, if not just now.
    """
    happened = time or datetime.now(UTC)
    envelope = Envelope(
        id=event_id, source=source, type=type, subject=None, time=happened, datacontenttype="application/json",
        dataschema=None, data=data, data_encoding="json", stream=stream, expected_version=None, expires=None,
        traceparent="", extensions="{}",
    )  # fmt: skip
    return append(game_id, [Entry(envelope=envelope, lane=lane)])[0]


def new_id() -> str:
    """Return a fresh id for an event that Clarion itself causes and that follows from no other id."""
    return str(uuid.uuid4())


def commit(calls: Sequence[Call]) -> list[list[Outcome]]:
    """Append the entries of all calls in one transaction, then hint at the lanes that got work."""
    numbers: dict[int, int] = {}
    placed = [_place(call, numbers) for call in calls]
    with transaction.atomic(durable=True):
        ledger = _ledger(_store(), calls, placed, numbers)
        outcomes = [ledger.judge(call.game_id, pairs) for call, pairs in zip(calls, placed, strict=True)]
        if ledger.rows:
            _store().insert(ledger.rows)
            _store().raise_heads(list(ledger.raised.values()))
    hints.hint(ledger.lanes)
    return outcomes


def _place(call: Call, numbers: dict[int, int]) -> list[tuple[Entry, int]]:
    ids = partition_ids(call.game_id)
    numbers.update((partition_id, number) for number, partition_id in enumerate(ids))
    return [(entry, ids[number_of(entry.envelope.stream, len(ids))]) for entry in call.entries]


def _ledger(
    store: Store,
    calls: Sequence[Call],
    placed: Sequence[Sequence[tuple[Entry, int]]],
    numbers: dict[int, int],
) -> Ledger:
    """Lock first, then look: what is read here stays true until commit."""
    store.begin()
    wanted = {
        partition_id: call.game_id
        for call, pairs in zip(calls, placed, strict=True)
        for _, partition_id in pairs
    }
    locked = store.lock(sorted(wanted))
    if gone := wanted.keys() - {heads.id for heads in locked}:
        forget()  # the game was deleted since its partitions were read
        raise UnknownGame(wanted[gone.pop()])
    envelopes = [(call.game_id, entry.envelope) for call in calls for entry in call.entries]
    identities = list(dict.fromkeys(Identity(game, event.source, event.id) for game, event in envelopes))
    streams = list(dict.fromkeys(StreamKey(game, event.stream) for game, event in envelopes))
    return Ledger(
        {heads.id: heads for heads in locked},
        numbers,
        store.find(identities),
        store.versions(streams),
        datetime.now(UTC),
    )


def _store() -> Store:
    return PostgresStore() if connection.vendor == "postgresql" else SQLiteStore()


committer = Committer(commit)
DATABASE.on_open.append(committer.refuse_waiting)
