"""How far each device has stored its player's changes."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

from django.db import connection

Ack = tuple[int, str, int]
"""Player's id, device's name, sequence."""
AT_ONCE = 2_000


def store_acks(acks: Iterable[Ack]) -> None:
    """Write acks in one statement (for each 2,000), in the order of players.

    An ack never goes back, whatever order processes write in, and never beyond the player's
    head; unless what is stored lies beyond that, which a restore to an earlier state brings
    about. Erased players keep no devices.
    """
    newest: dict[tuple[int, str], int] = {}
    for player_id, name, seq in acks:
        newest[player_id, name] = max(seq, newest.get((player_id, name), 0))
    for some in _portions(sorted(newest.items())):
        _upsert(some)


def _portions(rows: list[tuple[tuple[int, str], int]]) -> Iterator[Sequence[tuple[tuple[int, str], int]]]:
    rest = iter(rows)
    while some := list(islice(rest, AT_ONCE)):
        yield some


def _upsert(rows: Sequence[tuple[tuple[int, str], int]]) -> None:
    """Insert or raise. The share lock keeps an erasure from passing between the look and the insert."""
    larger = "GREATEST" if connection.vendor == "postgresql" else "MAX"
    smaller = "LEAST" if connection.vendor == "postgresql" else "MIN"
    share = "FOR SHARE OF p" if connection.features.has_select_for_update else ""
    now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    values = ", ".join(["(%s, %s, %s)"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"WITH given (player_id, name, acked) AS (VALUES {values})"  # noqa: S608 - ours; values are bound
            " INSERT INTO players_device (player_id, name, acked, seen)"
            f" SELECT p.id, given.name, {smaller}(given.acked, p.head), %s"
            " FROM given JOIN players_player p ON p.id = given.player_id"
            f" WHERE p.erased IS NULL ORDER BY p.id {share}"
            " ON CONFLICT (player_id, name) DO UPDATE SET seen = EXCLUDED.seen, acked = CASE"
            " WHEN players_device.acked >"
            " (SELECT head FROM players_player WHERE id = players_device.player_id) THEN EXCLUDED.acked"
            f" ELSE {larger}(players_device.acked, EXCLUDED.acked) END",
            [*(part for (player_id, name), seq in rows for part in (player_id, name, seq)), now],
        )
