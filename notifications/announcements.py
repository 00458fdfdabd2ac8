"""Announcements: one row for a whole game, numbered by the game's own sequence."""

import uuid
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Q

from events.models import Game
from notifications.frames import Item, announcements_frame
from notifications.models import Announcement
from notifications.models.inbox import Gone
from notifications.push import publish_announcement

EDITABLE = frozenset({"category", "title", "body", "data", "actions", "expires"})


def put(game_id: int, *, title: str, **fields: Any) -> Announcement:
    """Announce something to everybody in a game."""
    _known(fields)
    return _change(game_id, Announcement(uid=uuid.uuid4(), title=title, created=datetime.now(UTC), **fields))


def update(announcement: Announcement, **fields: Any) -> Announcement:
    """Change an announcement in place; devices show the new words."""
    _known(fields)
    for name, value in fields.items():
        setattr(announcement, name, value)
    return _change(announcement.game_id, announcement)


def end(announcement: Announcement) -> Announcement:
    """Take an announcement back; devices remove it."""
    announcement.gone, announcement.gone_at = Gone.WITHDRAWN, datetime.now(UTC)
    return _change(announcement.game_id, announcement)


def current(game_id: int) -> list[Announcement]:
    """Return what is announced now, oldest first."""
    rows = Announcement.objects.filter(game_id=game_id, gone="")
    return list(rows.filter(Q(expires=None) | Q(expires__gt=datetime.now(UTC))).order_by("seq"))


def since(game_id: int, seq: int, limit: int) -> list[Announcement]:
    """Return the first announcements that have changed after a sequence, in order."""
    return list(Announcement.objects.filter(game_id=game_id, seq__gt=seq).order_by("seq")[:limit])


def item(row: Announcement) -> Item:
    """Return an announcement as frames take it: without a number, with the game's sequence."""
    return Item(
        uid=row.uid,
        number=None,
        seq=row.seq,
        notification_class="announcement",
        category=row.category,
        title=row.title,
        body=row.body,
        data=orjson.dumps(row.data).decode(),
        actions=orjson.dumps(row.actions).decode(),
        created=row.created,
        expires=row.expires,
        seen=None,
        read=None,
        archived=None,
        claimed=None,
        gone=row.gone,
        replaces=None,
    )


def _change(game_id: int, row: Announcement) -> Announcement:
    """Save a row with the game's next sequence, under the lock of the game's row; push after commit."""
    with transaction.atomic(durable=True):
        game = Game.objects.select_for_update(no_key=True).get(pk=game_id)
        row.game_id, row.seq = game_id, game.announcements + 1
        row.save()
        Game.objects.filter(pk=game_id).update(announcements=row.seq)
    frame = announcements_frame(row.seq - 1, row.seq, [item(row)], datetime.now(UTC))
    publish_announcement(game_id, row.seq - 1, row.seq, frame)
    return row


def _known(fields: dict[str, Any]) -> None:
    if unknown := fields.keys() - EDITABLE:
        raise TypeError(f"an announcement has no {', '.join(sorted(unknown))}")
