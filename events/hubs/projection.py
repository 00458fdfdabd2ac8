"""The port between hubs and what they do with events: one small class."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from events.lanes import Lane
from events.log.logged import LoggedEvent

AfterCommit = Callable[[], None]
"""Runs once, after the batch has been committed; what it raises is logged and changes nothing."""


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """What a projection found out about a batch before its transaction.

    ``take`` is how many events of the batch fit into one short transaction (at least 1).
    ``locks`` are the ids of the rows that the hub's ``lock`` must hold for those events;
    it has to be complete, because everything is locked once and in one order.
    """

    take: int
    locks: frozenset[int] = frozenset()
    state: Any = field(default=None, repr=False)


class Projection:
    """Does something with each event, exactly once, in the transaction of the hub's checkpoint.

    The hub calls ``prepare`` outside a transaction (reads, creating missing players),
    then, in one transaction, its ``lock`` for the union of all ``locks``, then ``apply``.
    An exception is poison (the stream is parked after three tries with the event alone)
    unless ``events.faults.is_transient`` says that it will pass.
    """

    name: str
    types: tuple[str, ...] | None = None
    """Prefixes of the event types that it looks at; None is all. Of others the payload is not read."""
    when_skipped: str = ""
    """What it means when staff skip events: a sentence or two, shown before they do."""

    def prepare(self, events: Sequence[LoggedEvent]) -> Prepared:
        """Read what ``apply`` will need. Its own writes must be harmless when repeated."""
        return Prepared(take=len(events))

    def apply(self, events: Sequence[LoggedEvent], prepared: Prepared) -> AfterCommit | None:
        """Write the effects of these events, in order.

        ``events`` may be shorter than the sequence that was prepared (never longer).
        Runs with the rows of ``prepared.locks`` locked. Must not open a transaction that
        outlives it, must not call anything slow, must not queue tasks.
        """
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Hub:
    """An ordered list of projections that share one checkpoint per (partition, lane)."""

    name: str
    projections: tuple[Projection, ...]
    lanes: tuple[Lane, ...] = tuple(Lane)
    """The lanes that it follows: no event of another one would ever concern it."""
    lock: Callable[[frozenset[int]], None] | None = None
    """Locks the rows of these ids ORDER BY id FOR NO KEY UPDATE; called once in each transaction."""
