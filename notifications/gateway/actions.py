"""From a client's message to what is to be done with a player's notifications. Pure."""

from uuid import UUID

from notifications.gateway.protocol import Archive, Read, Seen, State
from notifications.inbox import Action, Kind
from notifications.inbox.states import IDS_MAX

KINDS: dict[type[State], Kind] = {Seen: Kind.SEEN, Read: Kind.READ, Archive: Kind.ARCHIVE}
THROUGH_MAX = 2**63 - 1


class Unusable(ValueError):
    """The message cannot be acted upon; the text says why."""


def action_of(player_id: int, message: State) -> Action:
    """Return what a message asks for.

    Raises:
        Unusable: neither ids nor a number, or both, or too many, or none of ours.
    """
    kind, through = KINDS[type(message)], message.through
    if bool(message.ids) == (through is not None):
        raise Unusable("takes either ids or a number to go through")
    if kind is Kind.ARCHIVE and through is not None:
        raise Unusable("takes ids only")
    if len(message.ids) > IDS_MAX:
        raise Unusable(f"takes up to {IDS_MAX} ids, not {len(message.ids)}")
    if through is not None and not 0 <= through <= THROUGH_MAX:
        raise Unusable("through is a notification's number")
    try:
        ids = tuple(UUID(each) for each in message.ids)
    except ValueError:
        raise Unusable("ids are notifications' ids") from None
    return Action(player_id=player_id, kind=kind, ids=ids, through=through)
