"""How far each device has stored its player's changes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import NamedTuple

from django.db import connection

AT_ONCE = 2_000


class Ack(NamedTuple):
    """What a device says that it has stored."""

    player_id: int
    device: str
    epoch: int
    """The game's, in whose numbering the sequence is."""
    seq: int


def store_acks(acks: Iterable[Ack]) -> None:
    """Write acks in one statement (for each 2,000), in the order of players.

    An ack never goes back, whatever order processes write in, and never beyond the player's
    head; unless what is stored is of an earlier numbering, or lies beyond the head. An ack of
    a numbering that is over counts for nothing: its numbers mean other changes now. Erased
    players keep no devices.
    """
    newest: dict[tuple[int, str, int], Ack] = {}
    for ack in acks:
        known = newest.get(ack[:3], ack)
        newest[ack[:3]] = max(known, ack)
    for some in _portions(sorted(newest.values())):
        _upsert(some)


def _portions(rows: list[Ack]) -> Iterator[Sequence[Ack]]:
    rest = iter(rows)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def _upsert(rows: Sequence[Ack]) -> None:
    """Insert or raise. The share lock keeps an erasure from passing between the look and the insert."""
    larger = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    smaller = "LEAST" if connection.vendor == "postgresql" else "MIN"
    share = "FOR SHARE OF p" if connection.features.has_select_for_update else ""
    now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    values = ", ".join(["(%s, %s, %s, %s)"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH given (player_id, name, epoch, acked) AS (VALUES {values})"  # noqa: S608 - ours; values are bound
            " INSERT INTO players_device (player_id, name, epoch, acked, seen)"
            f" SELECT p.id, given.name, given.epoch, {smaller}(given.acked, p.head), %s"
            " FROM given JOIN players_player p ON p.id = given.player_id"
            " JOIN events_game g ON g.id = p.game_id AND g.epoch = given.epoch"
            f" WHERE p.erased IS NULL ORDER BY p.id {share}"
            " ON CONFLICT (player_id, name) DO UPDATE SET seen = EXCLUDED.seen, epoch = EXCLUDED.epoch,"
            " acked = CASE WHEN players_device.epoch <> EXCLUDED.epoch OR players_device.acked >"
            " (SELECT head FROM players_player WHERE id = players_device.player_id) THEN EXCLUDED.acked"
            f" ELSE {larger}(players_device.acked, EXCLUDED.acked) END",
            [*(part for row in rows for part in row), now],
        )
