"""All cases, in the order in which they are told."""

from tests.contracts.player_socket import following, returning
from tests.contracts.player_socket.asked import CASES

__all__ = ["CASES", "following", "returning"]
