"""The hub of the players room."""

from events.hubs.projection import Hub
from players.locks import lock_players
from players.profiles import Profiles

PROFILES = Hub(name="profiles", projections=(Profiles(),), lock=lock_players)
