"""Players: rules that fail, notifications that do not arrive, gateways that are gone."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Aggregate, Count, Exists, Max, Min, OuterRef, Q, QuerySet

from config.watch.conditions import Condition
from config.watch.kinds import Kind
from config.watch.rules.hubs import game_ids
from events.admin.cells import address_of
from events.admin.replay_words import duration
from events.lanes import Lane
from events.models import Game
from notifications.models import Decision, Notification, Rule
from notifications.models.decisions import Outcome
from notifications.models.deliveries import Delivery, State
from players.models import Device, Gateway, Presence

LATELY = timedelta(minutes=10)
EXPECTED = timedelta(hours=1)
"""For so long after a device was last heard of somebody should hold sockets."""
LOOKED_AT = 500
"""The newest notifications of a game that are old enough; enough to tell, however many there are."""
LOOK_BACK = timedelta(minutes=2)
CONFIRMS = timedelta(days=1)
PLAYERS_MIN = 3
"""One player with a broken client is no outage."""


def rules_failing(kinds: Mapping[str, Kind], now: datetime) -> Iterator[Condition]:
    """Find rules that failed on events lately: one step in an index for each rule."""
    limit = kinds["rule_failing"].limit
    failed = Decision.objects.filter(rule=OuterRef("pk"), outcome=Outcome.FAILED, now__gt=now - LATELY)
    for rule in Rule.objects.filter(Exists(failed)).order_by("game_id", "slug"):
        told = Decision.objects.filter(rule=rule, outcome=Outcome.FAILED, now__gt=now - LATELY).aggregate(
            count=Count("id"), first=Min("now"), last=Max("now")
        )
        if told["count"] > limit:
            yield Condition(
                kind="rule_failing",
                key=f"{rule.game_id}/{rule.slug}",
                value=told["count"],
                limit=limit,
                text=f"The rule {rule.slug} fails on events: {told['count']:,} within the last ten minutes.",
                url=address_of(Decision, rule__id__exact=rule.pk, outcome=Outcome.FAILED),
                game_id=rule.game_id,
                since=told["first"],
            )


def undelivered(kinds: Mapping[str, Kind], now: datetime) -> Iterator[Condition]:
    """Find urgent notifications that no device of a connected player has confirmed.

    What can be known: the player was connected before it was made, their gateway lives, a device of
    theirs confirms things (it did within a day), and none has confirmed this.
    """
    kind = kinds["undelivered"]
    if not Gateway.objects.filter(lease_until__gt=now).exists():
        return
    for game_id in game_ids():
        if found := list(_unconfirmed(game_id, now - timedelta(seconds=kind.limit), now)):
            oldest = min(created for _, created in found)
            players = len({player for player, _ in found})
            if players >= PLAYERS_MIN:
                age = (now - oldest).total_seconds()
                yield Condition(
                    kind=kind.name,
                    key=Game.objects.values_list("slug", flat=True).get(pk=game_id),
                    value=age,
                    limit=kind.limit,
                    text=f"{len(found)} urgent notifications of {players} connected players have not arrived on"
                    f" any device; the oldest was made {age:.0f} s ago.",
                    url=address_of(Notification, game__id__exact=game_id),
                    game_id=game_id,
                    since=oldest,
                )


def _unconfirmed(
    game_id: int, before: datetime, now: datetime
) -> QuerySet[Notification, tuple[int, datetime]]:
    newest = (
        Notification.objects.filter(game_id=game_id, created__lte=before, created__gt=before - LOOK_BACK)
        .order_by("-created", "-id")
        .values("pk")[:LOOKED_AT]
    )
    connected = Presence.objects.filter(
        player=OuterRef("player"), gateway__lease_until__gt=now, since__lt=OuterRef("created")
    )
    devices = Device.objects.filter(player=OuterRef("player"))
    confirmed = devices.filter(acked__gte=OuterRef("seq"), epoch__in=[0, OuterRef("game__epoch")])
    return (
        Notification.objects.filter(pk__in=[row["pk"] for row in newest], event__lane=Lane.URGENT, gone="")
        .filter(Q(expires=None) | Q(expires__gt=now), seen=None, read=None)
        .filter(Exists(connected), Exists(devices.filter(seen__gt=now - CONFIRMS)))
        .exclude(Exists(confirmed))
        .values_list("player_id", "created")
    )


def gateways(kinds: Mapping[str, Kind], now: datetime) -> Iterator[Condition]:
    """Find out that nobody holds sockets, although devices were there within the hour."""
    kind = kinds["gateways"]
    if Gateway.objects.filter(lease_until__gt=now).exists():
        return
    last = Device.objects.aggregate(last=Max("seen"))["last"]
    if last is not None and timedelta(seconds=kind.limit) < now - last < EXPECTED:
        yield Condition(
            kind=kind.name,
            value=(now - last).total_seconds(),
            limit=kind.limit,
            text=f"No gateway holds sockets. A device was last heard of {(now - last).total_seconds():.0f} s ago.",
            url=address_of(Gateway),
            since=last,
        )


def deliveries(kinds: Mapping[str, Kind], now: datetime) -> Iterator[Condition]:
    """Find channels of games by which deliveries were given up lately, or wait for too long."""
    limit = kinds["deliveries"].limit
    dead = Delivery.objects.filter(state=State.DEAD, finished__gt=now - LATELY)
    for row in _by_channel(dead, count=Count("id"), first=Min("finished"), error=Max("error")):
        if row["count"] > limit:
            said = f"{row['count']:,} were given up within the last ten minutes, such as for: {row['error']}."
            yield _of_channel("deliveries", row, row["count"], limit, said)
    limit = kinds["deliveries_late"].limit
    late = Delivery.objects.filter(
        finished=None, state=State.WAITING, due_at__lt=now - timedelta(seconds=limit)
    )
    for row in _by_channel(late, count=Count("id"), first=Min("due_at")):
        age = (now - row["first"]).total_seconds()
        said = f"{row['count']:,} are overdue, the oldest for {duration(age)}."
        yield _of_channel("deliveries_late", row, age, limit, said)


def _by_channel(rows: QuerySet[Delivery], **told: Aggregate) -> Iterator[Mapping[str, Any]]:
    yield from rows.values("game_id", "game__slug", "channel").annotate(**told).order_by("game_id", "channel")


def _of_channel(kind: str, row: Mapping[str, Any], value: float, limit: float, said: str) -> Condition:
    return Condition(
        kind=kind,
        key=f"{row['game__slug']}/{row['channel']}",
        value=value,
        limit=limit,
        text=f"Deliveries by {row['channel']} of {row['game__slug']}: {said}",
        url=address_of(
            Delivery,
            game__id__exact=row["game_id"],
            channel=row["channel"],
            state=State.DEAD if kind == "deliveries" else State.WAITING,
        ),
        game_id=row["game_id"],
        since=row["first"],
    )
