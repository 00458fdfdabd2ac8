"""Players' counters inside one transaction: read under the lock, raised, written back in one statement."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from events.rows import adapted, among, aware, bound_cursor
from notifications.frames import Item, Marks, changes_frame
from notifications.push import Change

COLUMNS = (
    "head", "number", "unread", "decisions",
    "seen_through", "seen_seq", "seen_at", "read_through", "read_seq", "read_at",
)  # fmt: skip
_LISTED = ", ".join(f"p.{name}" for name in COLUMNS)
_TYPES = ("int8", "int8", "int4", "int8", "int8", "int8", "timestamptz", "int8", "int8", "timestamptz")


@dataclass
class Account:
    """One player's counters, in the order of ``COLUMNS``, and what this transaction has changed for their devices."""

    id: int
    game_id: int
    key: str
    erased: bool
    head: int
    number: int
    unread: int
    decisions: int
    seen_through: int
    seen_seq: int
    seen_at: datetime | None
    read_through: int
    read_seq: int
    read_at: datetime | None
    epoch: int = 0  # names the numbering of head
    began: int = 0  # head before this transaction
    items: dict[Any, Item] = field(default_factory=dict)  # by uid, each with its latest state
    moved: set[str] = field(default_factory=set)
    announcements_read: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)  # of the events behind it, for logs

    def raise_head(self) -> int:
        """Count one change and return its sequence."""
        self.head += 1
        return self.head

    @property
    def marks(self) -> Marks:
        """How far they have seen and read."""
        return Marks(self.seen_through, self.seen_at, self.read_through, self.read_at)

    def change(self, now: datetime) -> Change | None:
        """Return the hint at what has changed, or None."""
        if self.head == self.began:
            return None
        frame = changes_frame(
            self.began,
            self.head,
            self.unread,
            self.items.values(),
            now,
            marks=self.marks,
            moved=sorted(self.moved),
            announcements_read=self.announcements_read,
        )
        return Change(self.id, self.began, self.head, frame, tuple(self.traces), self.epoch)


def accounts(player_ids: Iterable[int]) -> dict[int, Account]:
    """Read players' counters. Their rows must be locked already."""
    where, values = among("p.id", list(player_ids))
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT p.id, p.game_id, p.key, p.erased IS NOT NULL, g.epoch, {_LISTED} FROM players_player p"  # noqa: S608 - ours
            f" JOIN events_game g ON g.id = p.game_id WHERE {where}",
            [values],
        )
        return {row[0]: _account(*row) for row in cursor.fetchall()}


def _account(id_: int, game_id: int, key: str, erased: object, epoch: int, *counters: Any) -> Account:
    account = Account(id_, game_id, key, bool(erased), *counters)
    account.epoch, account.began = epoch, account.head
    account.seen_at, account.read_at = aware(account.seen_at), aware(account.read_at)
    return account


def write(changed: Mapping[int, Account]) -> None:
    """Write the counters back, in one statement."""
    rows = [(account.id, *(getattr(account, name) for name in COLUMNS)) for account in changed.values()]
    if not rows:
        return
    if connection.vendor == "postgresql":
        _write_postgres(rows)
        return
    assigned = ", ".join(f"{name} = %s" for name in COLUMNS)
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE players_player SET {assigned} WHERE id = %s",  # noqa: S608 - our columns
            [(*(adapted(each) for each in row[1:]), row[0]) for row in rows],
        )


def _write_postgres(rows: list[tuple[Any, ...]]) -> None:
    assigned = ", ".join(f"{name} = n.{name}" for name in COLUMNS)
    arrays = ", ".join(f"%s::{kind}[]" for kind in ("int8", *_TYPES))
    with bound_cursor() as cursor:
        cursor.execute(
            f"UPDATE players_player p SET {assigned}"  # noqa: S608 - our columns
            f" FROM unnest({arrays}) AS n(id, {', '.join(COLUMNS)}) WHERE p.id = n.id",
            [list(column) for column in zip(*rows, strict=True)],
        )
