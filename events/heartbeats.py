"""When something that should go on for ever was last done; and whose turn it is to do it."""

from datetime import datetime, timedelta

from events.hubs.claim import holder
from events.models import Heartbeat

SWEEP = "sweep"


def beat(name: str, now: datetime) -> None:
    """Note that it was done."""
    if not Heartbeat.objects.filter(name=name).update(at=now, by=holder()):
        Heartbeat.objects.bulk_create([Heartbeat(name=name, at=now, by=holder())], ignore_conflicts=True)


def last(name: str, now: datetime) -> datetime:
    """Return when it was last done; what never was is counted from the first time that somebody asks."""
    found = Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
    if found is None:
        beat(name, now)
    return found or now


def take_turn(name: str, every: timedelta, now: datetime) -> bool:
    """Tell whether it is this process's turn: one in ``every``, of all processes together.

    The one who loses the row goes away empty-handed. A turn that lies ahead, by a clock that
    was wrong, is taken too.
    """
    found = Heartbeat.objects.filter(name=name).values_list("at", flat=True).first()
    if found is None:
        beat(name, now)
        return True
    if timedelta(0) <= now - found < every:
        return False
    return bool(Heartbeat.objects.filter(name=name, at=found).update(at=now, by=holder()))
