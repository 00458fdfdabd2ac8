"""The hub of the notifications room."""

from events.hubs.projection import Hub
from notifications.decisions.projection import Decisions
from players.locks import lock_players

DECISIONS = Hub(name="decisions", projections=(Decisions(),), lock=lock_players)
