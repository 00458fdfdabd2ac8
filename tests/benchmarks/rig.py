"""What every benchmark stands on: three servers of its own, how much is measured, and whom to tell."""

import sys
from dataclasses import dataclass

from tests.chaos.servers import Servers


@dataclass(frozen=True, kw_only=True)
class Rig:
    """``quick`` measures the same in small."""

    servers: Servers
    quick: bool

    def size(self, *, full: int, quick: int) -> int:
        """Choose how many: rounds, events, sockets, seconds."""
        return quick if self.quick else full

    @staticmethod
    def say(words: str) -> None:
        """Tell whoever waits how far it is."""
        sys.stderr.write(f"  {words}\n")
        sys.stderr.flush()
