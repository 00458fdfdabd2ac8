"""Who may come in: blocked players may not connect, and erased ones are gone for good."""

from players.errors import PlayerErased, PlayerRefused
from players.known import ensure
from players.models import Player


def living(game_id: int, key: str) -> Player:
    """Return a player who was not erased, for the game's servers; who is not known yet is made.

    Raises:
        PlayerErased: there is a tombstone.
    """
    player = Player.objects.get(pk=ensure(game_id, [key])[key])
    if player.erased:
        raise PlayerErased
    return player


def admitted(game_id: int, key: str) -> Player:
    """Return a player who may come in with a token; who is not known yet is made.

    Raises:
        PlayerRefused: blocked or erased.
    """
    player = Player.objects.get(pk=ensure(game_id, [key])[key])
    if player.blocked or player.erased:
        raise PlayerRefused("this player is blocked" if player.blocked else "this player was erased")
    return player
