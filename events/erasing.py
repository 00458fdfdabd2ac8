"""Erasing payloads of single events: what staff ask for, and what follows from it elsewhere."""

from collections.abc import Callable, Iterable, Sequence

from django.db import transaction

from events import staff
from events.errors import StillNeeded
from events.hubs.needs import needed
from events.hubs.run import bound
from events.log.erasing import Cause, Place, erase_payloads, places
from events.log.partitions import partition_ids
from events.models.erasures import Why

Follower = Callable[[Sequence[Place]], None]
"""Takes out of its own tables what these payloads said, inside the transaction that erases them."""

_followers: dict[str, Follower] = {}


def register_follower(name: str, follower: Follower) -> None:
    """Let a room to the left follow when staff erase payloads, so that its folds stay equal to the log."""
    _followers[name] = follower


@transaction.atomic
def erase(event_pks: Iterable[int], by: str, reason: str) -> int:
    """Erase the payloads of these events for good, all or none; return how many had one.

    What folds have made of them goes with them. Notifications and decisions keep what they
    say. Each erasure is on record, and an event ``staff.payload.erased``.

    Raises:
        StillNeeded: hubs, dead letters or audiences still read some of them.
    """
    bound()
    found = [place for place in places(event_pks) if place.has_payload]
    if waiting := needed(found):
        raise StillNeeded({_name(place): waiting[place.id] for place in found if place.id in waiting})
    count = erase_payloads(found, Cause(why=Why.STAFF, by=by, reason=reason))
    for follow in _followers.values():
        follow(found)
    for place in found:
        staff.note(
            place.game_id, "payload.erased", by, place=_name(place), type=place.type, reason=reason
        )  # fmt: skip
    return count


def _name(place: Place) -> str:
    """Return a place as the API answers it."""
    return f"{partition_ids(place.game_id).index(place.partition_id)}:{place.offset}"
