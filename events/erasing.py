"""Erasing payloads of single events: what staff ask for, and what follows from it elsewhere."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction

from events import staff
from events.errors import StillNeeded
from events.hubs.bounds import bound
from events.hubs.needs import needed
from events.log.erasing import Cause, Place, erase_payloads, places
from events.log.partitions import partition_ids
from events.models.erasures import Why

Follower = Callable[[Sequence[Place]], None]
"""Takes out of its own tables what these payloads said, inside the transaction that erases them."""


@dataclass(frozen=True, kw_only=True)
class Companion:
    """What staff may have taken away together with payloads: what another room has made of them."""

    noun: tuple[str, str]  # notification, notifications
    count: Callable[[Sequence[int]], int]  # how many came of these events
    begin: Callable[[Sequence[Place], str, str], None]  # in the erasure's transaction; who, and why


_followers: dict[str, Follower] = {}
_companions: dict[str, Companion] = {}


def register_follower(name: str, follower: Follower) -> None:
    """Let a room to the left follow when staff erase payloads, so that its folds stay equal to the log."""
    _followers[name] = follower


def register_companion(name: str, companion: Companion) -> None:
    """Let a room to the left offer what it has made of payloads to be taken away with them."""
    _companions[name] = companion


def companions() -> dict[str, Companion]:
    """Return what may go together with payloads, by name."""
    return dict(_companions)


@transaction.atomic
def erase(event_pks: Iterable[int], by: str, reason: str, together: Collection[str] = ()) -> int:
    """Erase the payloads of these events for good, all or none; return how many had one.

    What folds have made of them goes with them. Notifications and decisions keep what they
    say, unless ``together`` names a companion that takes it away. Each erasure is on record,
    and an event ``staff.payload.erased``.

    Raises:
        KeyError: there is no such companion.
        StillNeeded: hubs, dead letters or audiences still read some of them.
    """
    bound()
    found = [place for place in places(event_pks) if place.has_payload]
    if waiting := needed(found):
        raise StillNeeded({_name(place): waiting[place.id] for place in found if place.id in waiting})
    count = erase_payloads(found, Cause(why=Why.STAFF, by=by, reason=reason))
    for follow in _followers.values():
        follow(found)
    for name in together:
        _companions[name].begin(found, by, reason)
    facts = {"reason": reason, "together": sorted(together)} if together else {"reason": reason}
    for place in found:
        staff.note(place.game_id, "payload.erased", by, place=_name(place), type=place.type, **facts)
    return count


def _name(place: Place) -> str:
    """Return a place as the API answers it."""
    return f"{partition_ids(place.game_id).index(place.partition_id)}:{place.offset}"
