"""Announcements: one row for a whole game, numbered by the game's own sequence."""

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from django.db import transaction
from django.db.models import Q

from events.models import Game
from notifications.errors import AnnouncementEnded
from notifications.frames import Item, announcements_frame
from notifications.models import Announcement, AnnouncementRead
from notifications.models.inbox import Gone
from notifications.push import Announced, publish_announcement

EDITABLE = frozenset({"category", "title", "body", "data", "actions", "expires"})


def put(game_id: int, *, title: str, **fields: Any) -> Announcement:
    """Announce something to everybody in a game."""
    _known(fields)
    made = Announcement(uid=uuid.uuid4(), game_id=game_id, title=title, created=datetime.now(UTC), **fields)
    with transaction.atomic(durable=True):
        game = _locked(game_id)
        row = _save(made, game)
    return _push(row, game)


def update(announcement: Announcement, **fields: Any) -> Announcement:
    """Change an announcement in place; devices show the new words.

    Raises:
        AnnouncementEnded: it was taken back; nobody would see the change.
    """
    _known(fields)
    with transaction.atomic(durable=True):
        game = _locked(announcement.game_id)
        row = Announcement.objects.get(pk=announcement.pk)  # as others have left it
        if row.gone:
            raise AnnouncementEnded
        for name, value in fields.items():
            setattr(row, name, value)
        _save(row, game)
    return _push(row, game)


def end(announcement: Announcement) -> Announcement:
    """Take an announcement back; devices remove it. What has ended stays as it is."""
    with transaction.atomic(durable=True):
        game = _locked(announcement.game_id)
        row = Announcement.objects.get(pk=announcement.pk)
        if row.gone:
            return row
        row.gone, row.gone_at = Gone.WITHDRAWN, datetime.now(UTC)
        _save(row, game)
    return _push(row, game)


def current(game_id: int) -> list[Announcement]:
    """Return what is announced now, oldest first."""
    rows = Announcement.objects.filter(game_id=game_id, gone="")
    return list(rows.filter(Q(expires=None) | Q(expires__gt=datetime.now(UTC))).order_by("seq"))


def since(game_id: int, seq: int, limit: int) -> list[Announcement]:
    """Return the first announcements that have changed after a sequence, in order."""
    return list(Announcement.objects.filter(game_id=game_id, seq__gt=seq).order_by("seq")[:limit])


def read_by(player_id: int, rows: Iterable[Announcement]) -> dict[int, datetime]:
    """Return when a player has read these announcements, by id; unread ones are left out."""
    reads = AnnouncementRead.objects.filter(player_id=player_id, announcement_id__in=[row.pk for row in rows])
    return dict(reads.values_list("announcement_id", "at"))


def item(row: Announcement, read: datetime | None = None) -> Item:
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
        read=read,
        archived=None,
        claimed=None,
        gone=row.gone,
        replaces=None,
    )


def _locked(game_id: int) -> Game:
    """Lock the game's row: its announcement sequence is raised by one at a time."""
    return Game.objects.select_for_update(no_key=True).get(pk=game_id)


def _save(row: Announcement, game: Game) -> Announcement:
    row.seq = game.announcements + 1
    row.save()
    Game.objects.filter(pk=game.pk).update(announcements=row.seq)
    return row


def _push(row: Announcement, game: Game) -> Announcement:
    frame = announcements_frame(row.seq - 1, row.seq, [item(row)], datetime.now(UTC))
    publish_announcement(Announced(row.game_id, row.seq - 1, row.seq, frame, game.epoch))
    return row


def _known(fields: dict[str, Any]) -> None:
    if unknown := fields.keys() - EDITABLE:
        raise TypeError(f"an announcement has no {', '.join(sorted(unknown))}")
