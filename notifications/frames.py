"""What travels to players' devices: items and frames, as the protocol has them. Pure."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import orjson


class Item(NamedTuple):
    """A notification's row, in the order in which every query reads it."""

    uid: UUID
    number: int | None
    seq: int
    notification_class: str
    category: str
    title: str
    body: str
    data: str
    actions: str
    created: datetime
    expires: datetime | None
    seen: datetime | None
    read: datetime | None
    archived: datetime | None
    claimed: datetime | None
    gone: str
    replaces: UUID | None


FIELDS = Item._fields


class Marks(NamedTuple):
    """How far a player has seen and read, and when that was said last."""

    seen_through: int = 0
    seen_at: datetime | None = None
    read_through: int = 0
    read_at: datetime | None = None


NO_MARKS = Marks()


def rfc3339(moment: datetime | None) -> str | None:
    """Return a time as the protocol writes it, in UTC."""
    return None if moment is None else moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def described(item: Item, marks: Marks = NO_MARKS) -> dict[str, Any]:
    """Return a notification's current state, or that it is gone."""
    if item.gone:
        return {"number": item.number, "seq": item.seq, "id": str(item.uid), "gone": item.gone}
    number = item.number or 0
    seen = item.seen or (marks.seen_at if 0 < number <= marks.seen_through else None)
    read = item.read or (marks.read_at if 0 < number <= marks.read_through else None)
    return {
        "number": item.number,
        "seq": item.seq,
        "id": str(item.uid),
        "class": item.notification_class,
        "category": item.category,
        "title": item.title,
        "body": item.body,
        "data": orjson.Fragment(item.data),
        "actions": orjson.Fragment(item.actions),
        "created": rfc3339(item.created),
        "expires": rfc3339(item.expires),
        "read": rfc3339(read),
        "seen": rfc3339(seen),
        "archived": rfc3339(item.archived),
        "claimed": rfc3339(item.claimed),
        "replaces": str(item.replaces) if item.replaces else None,
    }


def showable(item: Item, now: datetime) -> bool:
    """Tell whether an item may be sent: what has expired is never shown; that it is gone is told."""
    return bool(item.gone) or item.expires is None or item.expires > now


def changes_frame(  # the parts of a frame
    from_: int,
    to: int,
    unread: int,
    items: Iterable[Item],
    now: datetime,
    *,
    marks: Marks = NO_MARKS,
    moved: Sequence[str] = (),
    announcements_read: Sequence[str] = (),
) -> str:
    """Return the frame for the range ``(from_, to]``; expired items are left out, the range still covers them.

    ``moved`` names the marks that changed in the range: ``seen_through``, ``read_through``.
    """
    shown = sorted((item for item in items if showable(item, now)), key=lambda item: item.seq)
    frame: dict[str, Any] = {
        "type": "changes",
        "from": from_,
        "to": to,
        "unread": unread,
        "items": [described(item, marks) for item in shown],
    }
    for name in moved:
        frame[name] = getattr(marks, name)
    if announcements_read:
        frame["announcements_read"] = list(announcements_read)
    return orjson.dumps(frame).decode()


def announcements_frame(from_: int, to: int, items: Iterable[Item], now: datetime) -> str:
    """Return the frame for a range of the game's announcement sequence."""
    shown = sorted((item for item in items if showable(item, now)), key=lambda item: item.seq)
    return orjson.dumps(
        {"type": "announcements", "from": from_, "to": to, "items": [described(item) for item in shown]}
    ).decode()
