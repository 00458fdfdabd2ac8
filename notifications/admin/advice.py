"""What deliveries ran into, in plain words, and what to do about it. Pure."""

import re
from collections.abc import Mapping
from typing import Any

from notifications.delivery import staleness
from notifications.delivery.endings import INTERRUPTED, OUTLIVED
from notifications.models import Delivery
from notifications.models.deliveries import State

_STATUS = re.compile(r"http (\d{3})")
_BY_STATUS = {
    "301": "It sends on to another address, which is not followed: enter the final address at the endpoint.",
    "401": "The receiver does not take the signature: compare the secret there with the endpoint's.",
    "404": "Nothing is at that address any more: check the address of the endpoint.",
    "413": "The message is too long for the receiver: raise its limit, or shorten the rule's words and data.",
    "400": "The receiver does not take the content: its developers see why in their own log, by the webhook-id.",
    "429": "The receiver asks for fewer calls. Clarion waits as long as it asks, and goes on by itself.",
    "500": "The receiver's server fails. Clarion goes on by itself; tell its developers if it lasts.",
}
_ALIKE = {
    "302": "301", "303": "301", "307": "301", "308": "301", "403": "401", "405": "404", "410": "404", "408": "500",
    "415": "400", "422": "400", "425": "429", "503": "500",
}  # fmt: skip
_BY_ERROR = {
    "timeout": "The receiver is too slow, or its network is away. It should answer first and work afterwards.",
    "connection lost": "The receiver ended the call without an answer. Clarion goes on by itself.",
    "not connected": "Nothing listens at the address: is the receiver's server up, and is the port right?",
    "name not found": "The name in the address cannot be looked up: check its spelling, and the game's DNS.",
    "certificate": "The receiver's certificate is out of date or another name's: it has to be renewed there.",
    "address refused": "Clarion may not call this address: enter a public one, or let"
    " CLARION_WEBHOOK_NETWORKS allow its network.",
    INTERRUPTED: "Whatever sent it was stopped in the middle, each time. Has a worker too little memory, or is it"
    " killed at deploys?",
    OUTLIVED: "It waited until its day was over. Switch the channel on, or mend the endpoint, then send it again.",
}
_PASSES = "Clarion tries again by itself."
_LASTS = "The same again would fail again: mend the cause, then send it again, or give it up."
REASONS = {
    staleness.EXPIRED: "the notification expired before it could be brought",
    staleness.GONE: "the notification was taken back",
    staleness.READ: "the player has read it elsewhere",
    staleness.ARCHIVED: "the player has archived it",
    staleness.ERASED: "the player was erased",
    staleness.BLOCKED: "the player is blocked",
    staleness.BY_STAFF: "staff have given it up",
}


def advice(error: str, *, permanent: bool = True) -> str:
    """Return what to do about a fault of this class."""
    if found := _STATUS.fullmatch(error):
        status = _ALIKE.get(found[1], found[1])
        family = {"3": "301", "5": "500"}.get(status[0], status)
        if said := _BY_STATUS.get(status, _BY_STATUS.get(family, "")):
            return said
    if error.startswith("broken: "):
        return "This is a mistake in Clarion itself: report it, with what the server's log says at that time."
    return _BY_ERROR.get(error, _LASTS if permanent else _PASSES)


def status_of(entry: Mapping[str, Any]) -> str:
    """Return what a try was answered with: an HTTP status, or the class of what happened instead."""
    ended = str(entry.get("ended", ""))
    found = _STATUS.fullmatch(ended)
    return found[1] if found else ended


def answer(row: Delivery) -> str:
    """Return what came of the last try, or why there was none, in a few words."""
    if row.state == State.SENT:
        return "taken"
    if row.state == State.CANCELLED:
        return REASONS.get(row.reason, row.reason)
    if row.detail:
        return row.detail
    return "just being sent" if row.state == State.SENDING else "not tried yet"
