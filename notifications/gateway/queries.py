"""What gateways read: set by set, in one statement each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from django.db import connection

from events.models import Game
from notifications import announcements
from notifications.frames import FIELDS, Item, Marks
from players import tokens
from players.errors import OriginRefused, PlayerRefused
from players.known import ensure
from players.models import Player
from players.origins import origin_allowed

ANNOUNCEMENTS_AT_ONCE = 64

_PLAYER = ("head", "unread", "seen_through", "seen_at", "seen_seq", "read_through", "read_at", "read_seq")
_PLAYER_SQL = ", ".join(f"p.{name}" for name in _PLAYER)
_ITEM_SQL = ", ".join(f"n.{name}" for name in FIELDS)
_READ_SQL = "FROM notifications_announcementread r JOIN notifications_announcement a ON a.id = r.announcement_id WHERE"


_REFUSED = "(p.id IS NULL OR p.blocked IS NOT NULL OR p.erased IS NOT NULL)"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a token's bearer is."""

    player_id: int
    game_id: int
    expires: datetime


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """Where a player and their game stand."""

    epoch: int
    epoch_name: str  # as clients know it
    head: int
    unread: int
    announcements: int
    forgotten: int = 0  # changes up to here cannot all be told any more


@dataclass(frozen=True, kw_only=True)
class Need:
    """One socket that is behind: what it lacks is in ``(after, upto]`` of the numbering ``epoch``."""

    player_id: int
    after: int
    upto: int
    epoch: int


@dataclass(frozen=True, kw_only=True)
class Supply:
    """What a socket lacks, and its player's head at the same instant."""

    head: int
    unread: int
    marks: Marks
    moved: tuple[str, ...]
    items: tuple[Item, ...]
    announcements_read: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Announcements:
    """A game's announcements after a sequence, as far as they go in one frame."""

    to: int
    more: bool
    items: tuple[Item, ...]


class Position(NamedTuple):
    """Where a socket stands."""

    player_id: int
    cursor: int
    announcements: int
    epoch: int


class Standing(NamedTuple):
    """Where a player and their game stand."""

    head: int
    refused: bool  # blocked, erased, or not there at all
    announcements: int
    epoch: int


def identify(token: str, origin: str | None, host: str | None) -> Identity:
    """Return who a token speaks for; who is not known yet is made. Whether they may come in is not asked.

    Raises:
        TokenExpired, TokenInvalid, OriginRefused.
    """
    claims = tokens.verify(token)
    if not origin_allowed(claims.game_id, origin, host):
        raise OriginRefused(f"the game {claims.game} does not allow pages of this origin")
    player_id = ensure(claims.game_id, [claims.player])[claims.player]
    return Identity(player_id=player_id, game_id=claims.game_id, expires=claims.expires)


def welcome(player_id: int) -> Welcome:
    """Read where a player stands; the socket must be registered before.

    Raises:
        PlayerRefused: blocked or erased.
    """
    player = Player.objects.select_related("game").filter(pk=player_id, blocked=None, erased=None).first()
    if player is None:
        raise PlayerRefused("this player is blocked or was erased")
    game = player.game
    return Welcome(
        epoch=game.epoch,
        epoch_name=game.epoch_name,
        head=player.head,
        unread=player.unread,
        announcements=game.announcements,
        forgotten=player.forgotten,
    )


def supply(needs: Sequence[Need]) -> list[Supply | None]:
    """Read what each of these sockets lacks: one statement for all of them, head and rows at one instant.

    What has expired is left out; that something is gone is told. None for those whose player is not there
    at all, or whose numbering is another one by now: after a restore the id may even be somebody else's.
    """
    rows = _postgres(needs) if connection.vendor == "postgresql" else _sqlite(needs)
    items: list[list[Item]] = [[] for _ in needs]
    players: list[dict[str, Any]] = [{} for _ in needs]
    for index, reads, *rest in rows:
        players[index] = {**dict(zip(_PLAYER, rest[: len(_PLAYER)], strict=True)), "reads": reads}
        if rest[len(_PLAYER)] is not None:
            items[index].append(Item(*rest[len(_PLAYER) :]))
    return [
        _supply(need, player, found) if player else None
        for need, player, found in zip(needs, players, items, strict=True)
    ]


def announced(game_id: int, after: int) -> Announcements:
    """Read which announcements of a game have changed after a sequence."""
    head = Game.objects.values_list("announcements", flat=True).get(pk=game_id)
    rows = announcements.since(game_id, after, ANNOUNCEMENTS_AT_ONCE + 1)
    found = tuple(announcements.item(row) for row in rows[:ANNOUNCEMENTS_AT_ONCE])
    more = len(rows) > len(found)
    newest = found[-1].seq if found else after
    return Announcements(to=newest if more else max(head, newest), more=more, items=found)


def deviations(positions: Sequence[Position]) -> dict[int, Standing]:
    """Compare many sockets with what is so, in one query; by index, those where anything differs.

    The database compares, because nearly all of them are where they should be: reading 20,000
    players to find out took a gateway half a second of every second (measured on a busy machine).
    """
    if connection.vendor == "postgresql":
        source = "unnest(%s::int8[], %s::int8[], %s::int8[], %s::int4[]) WITH ORDINALITY"
        parameters: list[Any] = [list(column) for column in zip(*positions, strict=True)]
    else:
        parts = (
            "e.value ->> 0 player",
            "e.value ->> 1 cursor",
            "e.value ->> 2 announced",
            "e.value ->> 3 epoch",
        )
        source = f"(SELECT {', '.join(parts)}, e.key + 1 i FROM json_each(%s) e)"  # noqa: S608 - ours
        parameters = [json.dumps(positions)]
    columns = "(player, cursor, announced, epoch, i)" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.i - 1, coalesce(p.head, 0), {_REFUSED}, coalesce(g.announcements, 0), coalesce(g.epoch, 0)"  # noqa: S608 - ours
            f" FROM {source} c{columns} LEFT JOIN players_player p ON p.id = c.player"
            f" LEFT JOIN events_game g ON g.id = p.game_id WHERE {_REFUSED} OR p.head <> c.cursor"
            " OR g.announcements <> c.announced OR g.epoch <> c.epoch",
            parameters,
        )
        return {row[0]: Standing(row[1], bool(row[2]), row[3], row[4]) for row in cursor.fetchall()}


def _supply(need: Need, player: dict[str, Any], items: list[Item]) -> Supply:
    marks = Marks(*(player[name] for name in Marks._fields))
    moved = [name for name in ("seen", "read") if need.after < player[f"{name}_seq"] <= need.upto]
    return Supply(
        head=player["head"],
        unread=player["unread"],
        marks=marks,
        moved=tuple(f"{name}_through" for name in moved),
        items=tuple(items),
        announcements_read=tuple(player["reads"] or ()),
    )


def _postgres(needs: Sequence[Need]) -> list[Any]:
    """LATERAL with LIMIT leaves the planner no choice but the index, also on a young table."""
    fields = ", ".join(FIELDS)
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            f"SELECT c.i, m.reads, {_PLAYER_SQL}, {_ITEM_SQL}"  # noqa: S608 - our columns
            " FROM unnest(%s::int4[], %s::int8[], %s::int8[], %s::int8[], %s::int4[])"
            " AS c(i, player, after, upto, epoch)"
            " JOIN players_player p ON p.id = c.player"
            " JOIN events_game g ON g.id = p.game_id AND g.epoch = c.epoch CROSS JOIN LATERAL"
            f" (SELECT array_agg(a.uid::text ORDER BY r.seq) AS reads {_READ_SQL}"
            " r.player_id = c.player AND r.seq > c.after AND r.seq <= c.upto) m LEFT JOIN LATERAL"
            f" (SELECT {fields} FROM notifications_notification WHERE player_id = c.player"
            " AND seq > c.after AND seq <= c.upto AND (expires IS NULL OR expires > %s OR gone <> '')"
            " ORDER BY seq LIMIT 64) n ON true ORDER BY c.i, n.seq",
            [
                list(range(len(needs))),
                [need.player_id for need in needs],
                [need.after for need in needs],
                [need.upto for need in needs],
                [need.epoch for need in needs],
                datetime.now(UTC),
            ],
            binary=True,  # times as text would take most of the time
        )
        return cursor.fetchall()


def _sqlite(needs: Sequence[Need]) -> list[Any]:
    wanted = json.dumps(
        [(i, need.player_id, need.after, need.upto, need.epoch) for i, need in enumerate(needs)]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.value ->> 0,"  # noqa: S608 - our columns
            f" (SELECT json_group_array(a.uid) {_READ_SQL}"
            " r.player_id = p.id AND r.seq > c.value ->> 2 AND r.seq <= c.value ->> 3),"
            f" {_PLAYER_SQL}, {_ITEM_SQL}"
            " FROM json_each(%s) c CROSS JOIN players_player p ON p.id = c.value ->> 1"
            " CROSS JOIN events_game g ON g.id = p.game_id AND g.epoch = c.value ->> 4"
            " LEFT JOIN notifications_notification n ON n.player_id = p.id"
            " AND n.seq > c.value ->> 2 AND n.seq <= c.value ->> 3"
            " AND (n.expires IS NULL OR n.expires > %s OR n.gone <> '') ORDER BY c.value ->> 0, n.seq",
            [wanted, connection.ops.adapt_datetimefield_value(datetime.now(UTC))],
        )
        return [_from_sqlite(row) for row in cursor.fetchall()]


_UUIDS = tuple(2 + len(_PLAYER) + FIELDS.index(name) for name in ("uid", "replaces"))


def _from_sqlite(row: Sequence[Any]) -> list[Any]:
    values: list[Any] = [each.replace(tzinfo=UTC) if isinstance(each, datetime) else each for each in row]
    values[1] = [str(UUID(each)) for each in json.loads(values[1])]
    for index in _UUIDS:
        values[index] = UUID(values[index]) if values[index] else None
    return values
