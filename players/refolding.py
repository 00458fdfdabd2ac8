"""Folding one player's profile again from the log, after a payload was taken out of it."""

from collections.abc import Sequence

from django.db import connection

from events.lanes import Lane
from events.log.erasing import Place
from events.log.logged import LoggedEvent
from events.log.read import stream
from events.models import Checkpoint, DeadLetter, Skip
from players.known import ensure
from players.locks import lock_players
from players.models import Player, Profile, ProfileRevision
from players.profiles import ERASED, Profiles, fold

HUB = "profiles"
READ = 500


def follow(found: Sequence[Place]) -> None:
    """Fold the players again whose ``player.*`` payloads were just erased, in the same transaction.

    The checkpoint is locked before the players, as everywhere: what it has passed is folded
    here, what comes after it by the hub.
    """
    mine = [place for place in found if place.type.startswith(Profiles.types) and place.lane == Lane.URGENT]
    positions = {partition: _position(partition) for partition in sorted({p.partition_id for p in mine})}
    streams = sorted({(place.game_id, place.stream, place.partition_id) for place in mine})
    ids = {(game, key): ensure(game, [key])[key] for game, key, _ in streams}
    lock_players(frozenset(ids.values()))
    for game, key, partition in streams:
        player = Player.objects.get(pk=ids[game, key])
        if not player.erased:
            _refold(player, partition, positions[partition])


def _position(partition_id: int) -> int:
    rows = Checkpoint.objects.filter(hub=HUB, partition_id=partition_id, lane=Lane.URGENT)
    if connection.features.has_select_for_update:
        rows = rows.select_for_update(no_key=True)
    row = rows.first()
    return row.position if row else 0


def _refold(player: Player, partition_id: int, position: int) -> None:
    ProfileRevision.objects.filter(player=player).delete()
    Profile.objects.filter(player=player).delete()
    parked = DeadLetter.objects.filter(
        hub=HUB, partition_id=partition_id, lane=Lane.URGENT, stream=player.key, resolved=None
    ).first()
    before = parked.version if parked else None
    skips = list(
        Skip.objects.filter(
            hub=HUB, partition_id=partition_id, lane=Lane.URGENT, stream=player.key
        ).values_list("first", "last")
    )
    version = 0
    while events := stream(player.game_id, player.key, version, READ):
        version = events[-1].version
        folded = [
            event
            for event in events
            if _is_folded(event, position, before)
            and not any(first <= event.version <= last for first, last in skips)
        ]
        fold([(player.pk, event) for event in folded])


def _is_folded(event: LoggedEvent, position: int, before: int | None) -> bool:
    return (
        event.type.startswith(Profiles.types)
        and event.type != ERASED
        and event.lane == Lane.URGENT
        and event.offset <= position
        and (before is None or event.version < before)
    )
