"""The decisions hub alone in one process, and the same rows read and written with nothing decided."""

import json
import sys
import time
from typing import Any

import django

django.setup()

from django.db import connection  # noqa: E402 - apps have to be loaded

from events import log  # noqa: E402
from events.hubs.run import run  # noqa: E402
from events.lanes import Lane  # noqa: E402
from events.models import Game  # noqa: E402
from notifications.decisions.projection import PLAYERS_A_BATCH  # noqa: E402
from tests.benchmarks.inside import copying  # noqa: E402
from tests.benchmarks.inside.entries import batches, entries  # noqa: E402

TABLES = ("notifications_decision", "notifications_notification")


def decided_per_second(count: int) -> float:
    """Run the hub until nothing is left."""
    began = time.perf_counter()
    while run("decisions", Lane.NORMAL, 60.0):
        pass
    return count / (time.perf_counter() - began)


def copied_per_second(count: int) -> float:
    """Do what the hub has just done, without deciding: read events, COPY the results, update players and checkpoint."""
    for table in TABLES:
        copying.make_table(table)
    with copying.connected() as postgres, postgres.cursor() as cursor:
        work = [
            (some[0][0], some[-1][0], [_written(cursor, table, [row[0] for row in some]) for table in TABLES])
            for partition in _partitions(cursor, count)
            for some in batches(partition, PLAYERS_A_BATCH)
        ]
        kinds = [copying.columns(cursor, table) for table in TABLES]
        postgres.commit()
        began = time.perf_counter()
        for first, last, results in work:
            cursor.execute("SELECT * FROM events_event WHERE id BETWEEN %s AND %s ORDER BY id", [first, last])
            cursor.fetchall()
            for table, (names, oids), rows in zip(TABLES, kinds, results, strict=True):
                copying.copy(cursor, table, names, oids, rows)
            players = sorted(
                {row[names.index("player_id")] for names, rows in [(kinds[1][0], results[1])] for row in rows}
            )
            cursor.execute(
                "UPDATE players_player SET head = head, number = number, unread = unread WHERE id = ANY(%s)",
                [players],
            )
            cursor.execute(
                "UPDATE events_checkpoint SET advanced = now() WHERE hub = 'decisions' AND lane = %s"
                " AND partition_id = (SELECT partition_id FROM events_event WHERE id = %s)",
                [Lane.NORMAL, first],
            )
            postgres.commit()
        return sum(len(results[0]) for _, _, results in work) / (time.perf_counter() - began)


def _partitions(cursor: Any, count: int) -> list[list[tuple[int]]]:
    """Return the ids of the last events, by partition."""
    cursor.execute(
        "SELECT array_agg(id ORDER BY id) FROM (SELECT id, partition_id FROM events_event ORDER BY recorded DESC,"
        " id DESC LIMIT %s) e GROUP BY partition_id",
        [count],
    )
    return [[(id_,) for id_ in ids] for (ids,) in cursor.fetchall()]


def _written(cursor: Any, table: str, event_ids: list[int]) -> list[tuple[Any, ...]]:
    cursor.execute(f"SELECT * FROM {table} WHERE event_id = ANY(%s) ORDER BY event_id", [event_ids])
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def main() -> None:
    wanted = json.loads(sys.argv[1])
    game_id, count = Game.objects.get(slug=wanted["game"]).pk, wanted["events"]
    told: dict[str, list[float]] = {"decided": [], "copied": []}
    for round_ in range(wanted["rounds"] + 1):
        for some in batches(entries(count), 500):
            log.append(game_id, some)
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        decided, copied = decided_per_second(count), copied_per_second(count)
        if round_:  # the first fills caches
            told["decided"].append(decided)
            told["copied"].append(copied)
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
