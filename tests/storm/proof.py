"""Compares everything that the storm has left in the database with what was promised.

``python -m tests.storm.proof FILE``, in the environment of the servers. The file holds what
the writers were answered and what the devices have shown; stdout is a JSON list of all that
is wrong, in words. SQL and the log's own check, no models: the models may be wrong as well.
"""

import json
import os
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

from tests.storm.plan import addressed
from tests.storm.stage import GAME

LANES = ("urgent", "normal", "bulk")
SHOWN = 20
"""More findings of one kind say no more."""


def rows(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    """Return what a SELECT finds in the storm's game."""
    from django.db import connection  # noqa: PLC0415 - Django must be set up

    with connection.cursor() as cursor:
        cursor.execute(sql, values or (GAME,))
        return list(cursor.fetchall())


def the_log(told: dict[str, Any]) -> Iterator[str]:
    """Versions 1..n, offsets 1..n, whole chains, and each event once, where its writer was told."""
    from events.log.verify import verify_partition  # noqa: PLC0415 - as above

    found = rows(
        'SELECT e.event_id, e.stream, e.version, p.number, e."offset" FROM events_event e'
        " JOIN events_partition p ON p.id = e.partition_id JOIN events_game g ON g.id = e.game_id"
        " WHERE g.slug = %s AND e.source = '/storm'"
    )
    places = {row[0]: list(row[1:]) for row in found}
    if len(found) != len(places) or places != told["places"]:
        yield f"{len(found)} events of {len(places)} ids, the writers were told of {len(told['places'])}"
        yield from (
            f"{name} is at {places.get(name)}, its writer was told {told['places'].get(name)}"
            for name in sorted(places.keys() | told["places"].keys())
            if places.get(name) != told["places"].get(name)
        )
    versions: dict[str, list[int]] = defaultdict(list)
    for stream, version in rows(
        "SELECT e.stream, e.version FROM events_event e JOIN events_game g ON g.id = e.game_id WHERE g.slug = %s"
    ):
        versions[stream].append(version)
    for stream, those in versions.items():
        if sorted(those) != list(range(1, len(those) + 1)):
            yield f"stream {stream} has {len(those)} events and the versions {sorted(those)[:SHOWN]} ..."
    for (partition,) in rows(
        "SELECT p.id FROM events_partition p JOIN events_game g ON g.id = p.game_id WHERE g.slug = %s"
    ):
        yield from verify_partition(partition)


def the_hubs(told: dict[str, Any]) -> Iterator[str]:
    """Every hub has processed every event of its lanes, once, and parked nothing. A poisoned one is judged apart.

    An event whose processes somebody killed again and again may have been parked, if it was drained since.
    """
    from events.hubs.registry import hubs  # noqa: PLC0415 - as above

    counts = Counter(
        rows(
            "SELECT e.partition_id, e.lane FROM events_event e JOIN events_game g ON g.id = e.game_id"
            " WHERE g.slug = %s"
        )
    )
    seen, poisoned = set(), told.get("poisoned", "")
    for hub, partition, lane, position, processed, noted, *heads in rows(
        "SELECT c.hub, c.partition_id, c.lane, c.position, c.processed, c.noted_by,"
        " p.urgent_head, p.normal_head, p.bulk_head FROM events_checkpoint c"
        " JOIN events_partition p ON p.id = c.partition_id JOIN events_game g ON g.id = p.game_id WHERE g.slug = %s"
    ):
        where, total = f"{hub} in partition {partition}, {LANES[lane]}", counts[partition, lane]
        seen.add((hub, partition, lane))
        if position != heads[lane]:
            yield f"{where} stands at {position}, the lane's head is {heads[lane]}"
        if processed != total and hub != poisoned:
            yield f"{where} has processed {processed} events of {total}"
        if noted is not None:
            yield f"{where} has a note that nobody cleared"
    followed = {hub.name: getattr(hub, "lanes", range(3)) for hub in hubs()}
    for partition, lane in counts:
        for hub, lanes in followed.items():
            if lane in lanes and (hub, partition, lane) not in seen:
                yield f"{hub} has no checkpoint in partition {partition}, {LANES[lane]}"
    for letter in rows(
        "SELECT hub, stream, cause FROM events_deadletter WHERE hub <> %s"
        " AND NOT (cause = 'ProcessEnded' AND resolved IS NOT NULL)",
        poisoned or "-",
    ):
        yield f"parked: {letter}"


def the_decisions(_told: dict[str, Any]) -> Iterator[str]:
    """One decision for each rule, event and player, and one notification for each that was sent."""
    wanted = Counter(
        (event, rule, player)
        for event, kind, data in rows(
            "SELECT e.id, e.type, e.data FROM events_event e JOIN events_game g ON g.id = e.game_id WHERE g.slug = %s"
        )
        for rule, player in addressed(kind, json.loads(data))
    )
    decided = Counter(
        rows(
            "SELECT d.event_id, r.slug, d.player_key FROM notifications_decision d JOIN notifications_rule r"
            " ON r.id = d.rule_id JOIN events_game g ON g.id = d.game_id WHERE g.slug = %s AND d.outcome = 'sent'"
        )
    )
    had = Counter(
        rows(
            "SELECT n.event_id, r.slug, p.key FROM notifications_notification n JOIN notifications_rule r"
            " ON r.id = n.rule_id JOIN players_player p ON p.id = n.player_id JOIN events_game g ON g.id = n.game_id"
            " WHERE g.slug = %s"
        )
    )
    ((total,),) = rows(
        "SELECT count(*) FROM notifications_decision d JOIN events_game g ON g.id = d.game_id WHERE g.slug = %s"
    )
    if total != decided.total():
        yield f"{total} decisions, of which {decided.total()} were sent"
    for what, found in (("decided", decided), ("notified", had)):
        yield from (f"not {what}: {each}" for each in (wanted - found).elements())
        yield from (f"{what} for nothing or twice: {each}" for each in (found - wanted).elements())


def the_players(told: dict[str, Any]) -> Iterator[str]:
    """Heads count the changes, numbers have no hole, counters are true, devices have seen it all once, in order."""
    inboxes: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for player, *row in rows(
        "SELECT p.key, n.uid, n.number, n.seq, n.notification_class, n.read, n.gone, n.archived"
        " FROM notifications_notification n JOIN players_player p ON p.id = n.player_id"
        " JOIN events_game g ON g.id = n.game_id WHERE g.slug = %s ORDER BY p.key, n.number"
    ):
        inboxes[player].append((str(row[0]).replace("-", ""), *row[1:]))
    for player, head, number, unread, read_through, marks, decisions in rows(
        "SELECT p.key, p.head, p.number, p.unread, p.read_through,"
        " CASE WHEN p.read_seq > 0 THEN 1 ELSE 0 END, p.decisions"
        " FROM players_player p JOIN events_game g ON g.id = p.game_id WHERE g.slug = %s"
    ):
        inbox = inboxes[player]
        numbers = [row[1] for row in inbox]
        read = {row[0] for row in inbox if row[4] is not None}
        left = [row for row in inbox if row[3] == "inbox" and not row[4] and not row[5] and not row[6]]
        if numbers != list(range(1, number + 1)):
            yield f"{player} has {len(numbers)} notifications, the last number is {number}"
        if head != number + len(read) + marks:
            yield f"{player}'s head is {head} after {number} notifications, {len(read)} reads and {marks} marks"
        if len({row[2] for row in inbox}) != len(inbox) or any(row[2] > head for row in inbox):
            yield f"{player} has sequences twice or beyond the head"
        if unread != len([row for row in left if row[1] > read_through]):
            yield f"{player}'s unread is {unread}, {len(left)} are left"
        if decisions != number:
            yield f"{player}'s counter of decisions is {decisions}, {number} were sent"
        mine = [device for device in told["devices"] if device["player"] == player]
        yield from _devices(mine, [row[0] for row in inbox], (head, unread))
        wanted = {each.replace("-", "") for device in mine for each in device["read"]}
        if mine and wanted != read:
            yield f"{player} wanted {len(wanted)} to be read, {len(read)} are"
    yield from _order()


def _devices(devices: list[dict[str, Any]], inbox: list[str], stands: tuple[int, int]) -> Iterator[str]:
    """Compare a player's devices with their inbox, and with their head and unread count."""
    for device in devices:
        shown = [each.replace("-", "") for each in device["shown"]]
        if shown != inbox:
            twice = len(shown) - len(set(shown))
            yield (
                f"{device['name']} has shown {len(shown)} of {len(inbox)}, {twice} of them twice,"
                f" {'in' if [each for each in inbox if each in set(shown)] == shown else 'out of'} order"
            )
        if (found := (device["seq"], device["unread"])) != stands:
            yield f"{device['name']} stands at head and unread {found}, not {stands}"


def _order() -> Iterator[str]:
    """What one stream's events of one lane came to has numbers in the order of the stream's versions."""
    last: dict[tuple[Any, ...], int] = {}
    for player, stream, lane, version in rows(
        "SELECT n.player_id, e.stream, e.lane, e.version FROM notifications_notification n"
        " JOIN events_event e ON e.id = n.event_id JOIN events_game g ON g.id = n.game_id"
        " WHERE g.slug = %s ORDER BY n.player_id, n.number"
    ):
        if version < last.get((player, stream, lane), 0):
            yield f"player {player} was told of {stream}@{version} too late"
        last[player, stream, lane] = version


def the_promises(_told: dict[str, Any]) -> Iterator[str]:
    """Tell what ``manage.py verify`` finds, which knows nothing of the storm."""
    from config.verifying import prove  # noqa: PLC0415 - as above
    from events.models import Game  # noqa: PLC0415 - as above

    yield from prove(Game.objects.get(slug=GAME)).findings


def main(path: Path) -> list[str]:
    """Return all that is wrong."""
    told = json.loads(path.read_text())
    wrong: list[str] = []
    for check in (the_log, the_hubs, the_decisions, the_players, the_promises):
        found = list(check(told))
        wrong += [f"{check.__name__}: {each}" for each in found[:SHOWN]]
        wrong += [f"{check.__name__}: and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    return wrong


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    print(json.dumps(main(Path(sys.argv[1]))))  # noqa: T201 - they are what it is asked for
