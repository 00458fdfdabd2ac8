"""The hub of the players room."""

from events.hubs.projection import Hub
from events.lanes import Lane
from players.locks import lock_players
from players.profiles import Profiles

PROFILES = Hub(
    name="profiles",
    projections=(Profiles(),),
    lanes=(Lane.URGENT,),  # where every player.* event is
    lock=lock_players,
)
