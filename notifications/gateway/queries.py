"""What gateways read: set by set, in one statement each, on threads of their own."""

import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from django.db import close_old_connections, connection

from events.models import Game
from notifications.frames import FIELDS, Item, Marks
from notifications.models import AnnouncementRead
from players import tokens
from players.errors import OriginRefused, PlayerRefused
from players.known import ensure
from players.models import Player
from players.origins import origin_allowed

T = TypeVar("T")
THREADS = 4
executor = ThreadPoolExecutor(THREADS, thread_name_prefix="gateway")

_PLAYER = ("head", "unread", "seen_through", "seen_at", "seen_seq", "read_through", "read_at", "read_seq")
_PLAYER_SQL = ", ".join(f"p.{name}" for name in _PLAYER)
_ITEM_SQL = ", ".join(f"n.{name}" for name in FIELDS)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who a token's bearer is."""

    player_id: int
    game_id: int
    expires: datetime


@dataclass(frozen=True, kw_only=True)
class Welcome:
    """Where a player and their game stand."""

    epoch: str
    head: int
    unread: int
    announcements: int


@dataclass(frozen=True, kw_only=True)
class Need:
    """One socket that is behind: what it lacks is in ``(after, upto]``."""

    player_id: int
    after: int
    upto: int


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
class Standing:
    """A player as the look once a second finds them."""

    head: int
    refused: bool  # blocked or erased


def with_connection(work: Callable[..., T]) -> Callable[..., T]:
    """Let work run on the gateway's threads: a broken connection is dropped before it, not met by it."""

    def run(*args: Any) -> T:
        close_old_connections()
        return work(*args)

    return run


def identify(token: str, origin: str | None, host: str | None) -> Identity:
    """Return who a token speaks for.

    Raises:
        TokenExpired, TokenInvalid, OriginRefused, PlayerRefused.
    """
    claims = tokens.verify(token)
    if not origin_allowed(claims.game_id, origin, host):
        raise OriginRefused(f"the game {claims.game} does not allow pages of this origin")
    player_id = ensure(claims.game_id, [claims.player])[claims.player]
    if not Player.objects.filter(pk=player_id, blocked=None, erased=None).exists():
        raise PlayerRefused("this player is blocked or was erased")
    return Identity(player_id=player_id, game_id=claims.game_id, expires=claims.expires)


def welcome(player_id: int, game_id: int) -> Welcome:
    """Read where a player stands; the socket must be registered before."""
    head, unread = Player.objects.values_list("head", "unread").get(pk=player_id)
    game = Game.objects.get(pk=game_id)
    return Welcome(epoch=game.epoch_name, head=head, unread=unread, announcements=game.announcements)


def supply(needs: Sequence[Need]) -> list[Supply]:
    """Read what each of these sockets lacks: one statement for all of them, head and rows at one instant."""
    rows = _postgres(needs) if connection.vendor == "postgresql" else _sqlite(needs)
    items: list[list[Item]] = [[] for _ in needs]
    players: list[dict[str, Any]] = [{} for _ in needs]
    for index, *rest in rows:
        players[index] = dict(zip(_PLAYER, rest[: len(_PLAYER)], strict=True))
        if rest[len(_PLAYER)] is not None:
            items[index].append(Item(*rest[len(_PLAYER) :]))
    reads = _announcements_read(needs)
    return [_supply(*four) for four in zip(needs, players, items, reads, strict=True)]


def standings(player_ids: Iterable[int]) -> dict[int, Standing]:
    """Read the heads of many players, in one query."""
    rows = Player.objects.filter(id__in=list(player_ids)).values_list("id", "head", "blocked", "erased")
    return {row[0]: Standing(head=row[1], refused=bool(row[2] or row[3])) for row in rows}


def announcement_heads(game_ids: Iterable[int]) -> dict[int, int]:
    """Read the announcement sequences of games."""
    return dict(Game.objects.filter(id__in=list(game_ids)).values_list("id", "announcements"))


def _supply(need: Need, player: dict[str, Any], items: list[Item], reads: tuple[str, ...]) -> Supply:
    marks = Marks(*(player[name] for name in Marks._fields))
    moved = [name for name in ("seen", "read") if need.after < player[f"{name}_seq"] <= need.upto]
    return Supply(
        head=player["head"],
        unread=player["unread"],
        marks=marks,
        moved=tuple(f"{name}_through" for name in moved),
        items=tuple(items),
        announcements_read=reads,
    )


def _postgres(needs: Sequence[Need]) -> list[Any]:
    """LATERAL with LIMIT leaves the planner no choice but the index, also on a young table."""
    fields = ", ".join(FIELDS)
    connection.ensure_connection()
    with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
        cursor.execute(
            f"SELECT c.i, {_PLAYER_SQL}, {_ITEM_SQL}"  # noqa: S608 - our columns
            " FROM unnest(%s::int4[], %s::int8[], %s::int8[], %s::int8[]) AS c(i, player, after, upto)"
            " JOIN players_player p ON p.id = c.player LEFT JOIN LATERAL"
            f" (SELECT {fields} FROM notifications_notification WHERE player_id = c.player"
            " AND seq > c.after AND seq <= c.upto ORDER BY seq LIMIT 64) n ON true ORDER BY c.i, n.seq",
            [
                list(range(len(needs))),
                [need.player_id for need in needs],
                [need.after for need in needs],
                [need.upto for need in needs],
            ],
        )
        return cursor.fetchall()


def _sqlite(needs: Sequence[Need]) -> list[Any]:
    wanted = json.dumps([(i, need.player_id, need.after, need.upto) for i, need in enumerate(needs)])
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT c.value ->> 0, {_PLAYER_SQL}, {_ITEM_SQL}"  # noqa: S608 - our columns
            " FROM json_each(%s) c CROSS JOIN players_player p ON p.id = c.value ->> 1"
            " LEFT JOIN notifications_notification n ON n.player_id = p.id"
            " AND n.seq > c.value ->> 2 AND n.seq <= c.value ->> 3 ORDER BY c.value ->> 0, n.seq",
            [wanted],
        )
        return [_from_sqlite(row) for row in cursor.fetchall()]


_UUIDS = tuple(1 + len(_PLAYER) + FIELDS.index(name) for name in ("uid", "replaces"))


def _from_sqlite(row: Sequence[Any]) -> list[Any]:
    values: list[Any] = [each.replace(tzinfo=UTC) if isinstance(each, datetime) else each for each in row]
    for index in _UUIDS:
        values[index] = UUID(values[index]) if values[index] else None
    return values


def _announcements_read(needs: Sequence[Need]) -> list[tuple[str, ...]]:
    rows = AnnouncementRead.objects.filter(
        player_id__in={need.player_id for need in needs}, seq__gt=min(need.after for need in needs)
    ).values_list("player_id", "seq", "announcement__uid")
    found = list(rows)
    return [
        tuple(
            str(uid)
            for player, seq, uid in found
            if player == need.player_id and need.after < seq <= need.upto
        )
        for need in needs
    ]
