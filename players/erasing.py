"""Erasing a player: what is known goes, a tombstone stays that hubs obey."""

from datetime import UTC, datetime

from django.db import transaction

from events import outbox
from players import forgetting
from players.locks import lock_players
from players.models import Device, Player, Presence, Profile, ProfileRevision
from players.profiles import ERASED


@transaction.atomic
def erase(player: Player) -> None:
    """Erase a player: profile, history, devices, presence; the row stays as a tombstone.

    What follows, in other transactions: the event ``player.erased`` (id ``erase:<player>``,
    so that a repeat adds none) makes the notifications room remove what they were told;
    gateways close their sockets when they next look, within a second; their tokens are
    refused from now on; a job frees the log of their payloads (``players.forgetting``).
    """
    lock_players(frozenset({player.pk}))
    Player.objects.filter(pk=player.pk, erased=None).update(erased=datetime.now(UTC))
    ProfileRevision.objects.filter(player=player).delete()
    Profile.objects.filter(player=player).delete()
    Device.objects.filter(player=player).delete()
    Presence.objects.filter(player=player).delete()
    forgetting.begin(player.pk)
    outbox.write(
        game_id=player.game_id,
        event_id=f"erase:{player.pk}",
        type=ERASED,
        stream=player.key,
        data={"player_id": player.key},
    )
