"""Earlier states of profiles, by age, and devices that nobody has heard of for long."""

from datetime import datetime, timedelta

from django.db.models import F, QuerySet

from events.models import Retention, Sweep
from events.retention.sweeping import Done, Sweeper
from players.models import Device, Player, ProfileRevision

PLAYERS = 50
BATCH = 100
DAILY = timedelta(days=1)
UNHEARD = timedelta(days=90)


def forget_history(sweep: Sweep, retention: Retention, now: datetime) -> Done:
    """Remove states that are older than the game keeps: a pass over the players a day.

    The state that a player is in stays, however old it is. A fold that is rebuilt from the log
    makes the others again, and the next pass removes them.
    """
    players = Player.objects.filter(game_id=sweep.game_id, key__gt=sweep.after).order_by("key")
    page = list(players.values_list("id", "key")[:PLAYERS])
    if not page:
        sweep.after = ""
        return Done(rest=DAILY)
    rows = ProfileRevision.objects.filter(
        player_id__in=[pk for pk, _ in page],
        recorded__lt=now - timedelta(days=retention.profile_days or 0),
        revision__lt=F("player__profile__revision"),
    )
    pks = list(rows.order_by().values_list("pk", flat=True)[:BATCH])
    sweep.taken += len(pks)
    ProfileRevision.objects.filter(pk__in=pks).delete()
    if len(pks) < BATCH:
        sweep.after = page[-1][1]
    return Done()


def unheard(now: datetime) -> "QuerySet[Device]":
    """Return devices that have not been heard of for 90 days; one that comes back is made again."""
    return Device.objects.filter(seen__lt=now - UNHEARD).order_by("seen")


HISTORY = Sweeper(
    name="profile history", wanted=lambda retention: retention.profile_days is not None, step=forget_history
)
