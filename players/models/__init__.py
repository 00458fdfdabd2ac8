"""Tables of the players room: who they are, how they prove it, and whether they are here."""

from players.models.erasures import PlayerErasure
from players.models.players import Player, Profile, ProfileRevision
from players.models.presence import Device, Gateway, Presence
from players.models.tokens import TokenKey

__all__ = [
    "Device",
    "Gateway",
    "Player",
    "PlayerErasure",
    "Presence",
    "Profile",
    "ProfileRevision",
    "TokenKey",
]
