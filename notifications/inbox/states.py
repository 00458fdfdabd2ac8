"""Read, seen, archived: each id is one change; a mark "everything up to here" is one change in all."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from events.hubs.bounds import bound
from notifications import ledger
from notifications.frames import FIELDS, Item
from notifications.ledger import Account
from notifications.models import Announcement, AnnouncementRead, Notification
from notifications.push import Change, publish
from players.locks import lock_players

IDS_MAX = 200


class Kind(StrEnum):
    """What a player does with what they have."""

    SEEN = "seen"
    READ = "read"
    ARCHIVE = "archive"


@dataclass(frozen=True, kw_only=True)
class Action:
    """One thing that one of a player's devices has asked for. Either ids, or a mark (not for archive)."""

    player_id: int
    kind: Kind
    ids: tuple[UUID, ...] = ()
    through: int | None = None  # a number


@dataclass(frozen=True, kw_only=True)
class Result:
    """Where a player stands after their actions."""

    head: int
    unread: int


def apply(actions: Sequence[Action]) -> Mapping[int, Result]:
    """Apply the actions of any number of players in one transaction, then push; results by player.

    Repeats change nothing. Ids that are not the player's, or of what is gone, are no changes.
    """
    players = frozenset(action.player_id for action in actions)
    now = datetime.now(UTC)
    with transaction.atomic(durable=True):
        bound()
        lock_players(players)
        desk = _Desk(players, actions, now)
        for action in actions:
            desk.do(action)
        changes = desk.write()
    publish(changes)
    return {player: Result(head=each.head, unread=each.unread) for player, each in desk.accounts.items()}


class _Desk:
    """The players and rows that one set of actions is about."""

    def __init__(self, players: Iterable[int], actions: Sequence[Action], now: datetime) -> None:
        self.now = now
        self.accounts = ledger.accounts(players)
        wanted = {uid for action in actions for uid in action.ids}
        self._rows = {
            (row.player_id, row.uid): row
            for row in Notification.objects.filter(uid__in=wanted, player_id__in=self.accounts)
        }
        reading = {uid for action in actions if action.kind is Kind.READ for uid in action.ids}
        self._announcements = self._current(reading - {uid for _, uid in self._rows})
        self._known = self._read_before()
        self._changed: dict[UUID, Notification] = {}
        self._reads: list[AnnouncementRead] = []

    def _current(self, wanted: set[UUID]) -> dict[tuple[int, UUID], Announcement]:
        games = {account.game_id for account in self.accounts.values()}
        rows = Announcement.objects.filter(uid__in=wanted, game_id__in=games, gone="") if wanted else ()
        return {(row.game_id, row.uid): row for row in rows}

    def _read_before(self) -> set[tuple[int, int]]:
        announcements = [row.pk for row in self._announcements.values()]
        rows = AnnouncementRead.objects.filter(
            player_id__in=self.accounts, announcement_id__in=announcements
        ).values_list("player_id", "announcement_id")
        return set(rows)

    def do(self, action: Action) -> None:
        account = self.accounts.get(action.player_id)
        if account is None or account.erased:
            return
        if action.through is not None and action.kind is not Kind.ARCHIVE:
            self._mark(account, action.kind, min(action.through, account.number))
        for uid in action.ids:
            row = self._rows.get((account.id, uid))
            if row is not None and not row.gone:
                self._change(account, row, action.kind)
            elif row is None and action.kind is Kind.READ:
                self._read_announcement(account, uid)

    def _change(self, account: Account, row: Notification, kind: Kind) -> None:
        counted = counts_as_unread(row, account)
        if kind is Kind.SEEN and (row.seen or row.number <= account.seen_through):
            return
        if kind is Kind.READ and (row.read or row.number <= account.read_through):
            return
        if kind is Kind.ARCHIVE and row.archived:
            return
        row.seen = row.seen or self.now
        if kind is Kind.READ:
            row.read = self.now
        elif kind is Kind.ARCHIVE:
            row.archived = self.now
        account.unread -= counted and kind is not Kind.SEEN
        row.seq = account.raise_head()
        account.items[row.uid] = item_of(row)
        self._changed[row.uid] = row

    def _mark(self, account: Account, kind: Kind, through: int) -> None:
        reads = kind is Kind.READ and through > account.read_through
        sees = through > account.seen_through
        if not (reads or (kind is Kind.SEEN and sees)):
            return
        head = account.raise_head()
        if reads:
            account.read_through, account.read_seq, account.read_at = through, head, self.now
            account.moved.add("read_through")
            account.unread = self._still_unread(account)
        if sees:
            account.seen_through, account.seen_seq, account.seen_at = through, head, self.now
            account.moved.add("seen_through")

    def _still_unread(self, account: Account) -> int:
        """Count what is unread beyond the mark; what this transaction has changed is not in the table yet."""
        left = [
            uid for uid, row in self._changed.items() if row.player_id == account.id and _left_unread(row)
        ]
        waiting = Notification.objects.filter(
            player_id=account.id,
            number__gt=account.read_through,
            notification_class="inbox",
            gone="",
            read=None,
            archived=None,
        )
        return waiting.exclude(uid__in=left).count()

    def _read_announcement(self, account: Account, uid: UUID) -> None:
        announcement = self._announcements.get((account.game_id, uid))
        if announcement is None or (account.id, announcement.pk) in self._known:
            return
        self._known.add((account.id, announcement.pk))
        read = AnnouncementRead(
            player_id=account.id, announcement=announcement, seq=account.raise_head(), at=self.now
        )
        self._reads.append(read)
        account.announcements_read.append(str(announcement.uid))

    def write(self) -> list[Change]:
        """Write what has changed; return the hints."""
        Notification.objects.bulk_update(self._changed.values(), ["seq", "seen", "read", "archived"])
        AnnouncementRead.objects.bulk_create(self._reads)
        changed = {
            player: account for player, account in self.accounts.items() if account.head != account.began
        }
        ledger.write(changed)
        return [change for account in changed.values() if (change := account.change(self.now))]


def counts_as_unread(row: Notification, account: Account) -> bool:
    """Tell whether a notification is among those that ``unread`` counts."""
    return (
        row.notification_class == "inbox"
        and not row.gone
        and row.read is None
        and row.archived is None
        and row.number > account.read_through
    )


def _left_unread(row: Notification) -> bool:
    return row.read is not None or row.archived is not None


def item_of(row: Notification) -> Item:
    """Return a row as frames take it."""
    return Item(*(getattr(row, name) for name in FIELDS))
