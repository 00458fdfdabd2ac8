"""Deliveries that staff treat as one: those of a game by a channel, and those of them with the same fault.

Counting and finding them follows an index, and stops at ``MAX`` rows, however many there are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from notifications.models import Delivery
from notifications.models.deliveries import State

MAX = 10_000
"""So many are sent again or given up at once; the page says when there are more."""
FAULTS_MAX = 50
"""Of one outlet; channels name a few, such as one for each HTTP status."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """Deliveries of one game by one channel, in one state."""

    game_id: int
    channel: str
    state: State  # dead or waiting
    error: str = ""  # of dead ones: which fault they ended with; '' for all
    seen: datetime | None = None  # leaves out what has become so later: nobody has seen that


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What dead deliveries of one outlet have in common."""

    group: Group
    count: int  # at most MAX + 1
    newest: Delivery


def alike(row: Delivery) -> Group:
    """Return the group of the dead deliveries that ended as this one did."""
    return Group(game_id=row.game_id, channel=row.channel, state=State.DEAD, error=row.error)


def members(group: Group) -> "QuerySet[Delivery]":
    """Return a group's deliveries, the oldest first."""
    rows = Delivery.objects.filter(game_id=group.game_id, channel=group.channel, state=group.state)
    if group.error:
        rows = rows.filter(error=group.error)
    if group.seen is not None:
        rows = rows.filter(**{"finished__lte" if group.state == State.DEAD else "created__lte": group.seen})
    return rows.order_by("id")


def count(group: Group) -> int:
    """Return how many there are; ``MAX + 1`` stands for more than ``MAX``."""
    return members(group).order_by()[: MAX + 1].count()


def faults(game_id: int, channel: str) -> list[Fault]:
    """Return what the dead deliveries of an outlet ended with, the most frequent first."""
    found = []
    for error in errors(game_id, channel):
        group = Group(game_id=game_id, channel=channel, state=State.DEAD, error=error)
        newest = members(group).order_by("-id").first()
        if newest is not None:
            found.append(Fault(group=group, count=count(group), newest=newest))
    return sorted(found, key=lambda each: -each.count)


def errors(game_id: int, channel: str) -> Iterator[str]:
    """Go from fault to fault of the dead in the index: none of the deliveries in between is read."""
    dead = Delivery.objects.filter(game_id=game_id, channel=channel, state=State.DEAD).order_by("error")
    named = dead.values_list("error", flat=True)
    error = named.first()
    for _ in range(FAULTS_MAX):
        if error is None:
            return
        yield error
        error = named.filter(error__gt=error).first()
