"""What staff may do to players."""

from collections.abc import Sequence

from django.db import transaction

from events import staff
from events.admin.confirming import Lever
from players import blocking
from players.erasing import erase
from players.locks import lock_players
from players.models import Player

NOUN = ("player", "players")


@transaction.atomic
def _erase(rows: Sequence[Player], by: str, _reason: str) -> int:
    """Erase those who are not erased yet, all locked at once."""
    lock_players(frozenset(row.pk for row in rows))
    living = list(Player.objects.filter(id__in=[row.pk for row in rows], erased=None).order_by("id"))
    for player in living:
        erase(player)
        staff.note(player.game_id, "player.erased", by, player=player.key)
    return len(living)


BLOCK = Lever(
    verb="Block",
    done="Blocked",
    noun=NOUN,
    warning="Their sockets close within a second and their tokens are refused until somebody unblocks them."
    " What they are told meanwhile waits in their inbox.",
    pull=blocking.block,
)
UNBLOCK = Lever(
    verb="Unblock",
    done="Unblocked",
    noun=NOUN,
    warning="They may connect again at once, with the tokens that they have.",
    pull=blocking.unblock,
)
ERASE = Lever(
    verb="Erase",
    done="Erased",
    noun=NOUN,
    warning="Profile, history, devices and notifications are removed for good, and nothing that the game sends"
    " about them later brings them back. A job then takes what the log has recorded about them: the payloads of"
    " their own stream, and of events that rules have decided about for them. This cannot be taken back.",
    pull=_erase,
    final=True,
)
