"""Players' counters inside one transaction: read under the lock, raised, written back in one statement."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from django.db import connection
from django.db.models import F

from notifications.frames import Item, Marks, changes_frame
from notifications.push import Change
from players.models import Player

COLUMNS = (
    "head", "number", "unread", "decisions",
    "seen_through", "seen_seq", "seen_at", "read_through", "read_seq", "read_at",
)  # fmt: skip
_TYPES = ("int8", "int8", "int4", "int8", "int8", "int8", "timestamptz", "int8", "int8", "timestamptz")


@dataclass(kw_only=True)
class Account:
    """One player's counters, and what this transaction has changed of what their devices show."""

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
    rows = Player.objects.filter(id__in=list(player_ids)).values(
        "id", "game_id", "key", "erased", *COLUMNS, epoch=F("game__epoch")
    )
    return {
        row["id"]: Account(**{**row, "erased": row["erased"] is not None}, began=row["head"]) for row in rows
    }


def write(changed: Mapping[int, Account]) -> None:
    """Write the counters back, in one statement."""
    rows = [(account.id, *(getattr(account, name) for name in COLUMNS)) for account in changed.values()]
    if not rows:
        return
    if connection.vendor == "postgresql":
        _write_postgres(rows)
        return
    assigned = ", ".join(f"{name} = %s" for name in COLUMNS)
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        cursor.executemany(
            f"UPDATE players_player SET {assigned} WHERE id = %s",  # noqa: S608 - our columns
            [
                (*(adapt(each) if isinstance(each, datetime) else each for each in row[1:]), row[0])
                for row in rows
            ],
        )


def _write_postgres(rows: list[tuple[Any, ...]]) -> None:
    assigned = ", ".join(f"{name} = n.{name}" for name in COLUMNS)
    arrays = ", ".join(f"%s::{kind}[]" for kind in ("int8", *_TYPES))
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            f"UPDATE players_player p SET {assigned}"  # noqa: S608 - our columns
            f" FROM unnest({arrays}) AS n(id, {', '.join(COLUMNS)}) WHERE p.id = n.id",
            [list(column) for column in zip(*rows, strict=True)],
        )
