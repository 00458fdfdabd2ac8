"""What a load test is to do. Pure."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

EVENT_TYPE = "guild.invite.received"
"""The demo's rule for it makes one notification of each event, without any limit."""
URGENT_TYPE = "match.ready"
"""Another one's, in the urgent lane."""
PLAYER_PREFIX = "load-"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How many players, and which events: so many a second one by one, or so many in batches."""

    url: str
    game: str
    key: str = field(repr=False)
    players: int
    events: int
    batch: int = 1
    rate: float | None = None  # events a second; None is as fast as batches are answered
    urgent: bool = False
    run: str = field(default_factory=lambda: secrets.token_hex(4))  # marks this run's events

    def player(self, n: int) -> str:
        """Return the id of the player that the n-th event goes to."""
        return f"{PLAYER_PREFIX}{n % self.players}"

    def marker(self, n: int) -> str:
        """Return what the n-th event's notification is recognised by."""
        return f"lt-{self.run}-{n}-"

    def event(self, n: int) -> dict[str, Any]:
        """Return the n-th event, as a CloudEvent."""
        return {
            "specversion": "1.0",
            "id": f"lt-{self.run}-{n}",
            "source": "/loadtest",
            "type": URGENT_TYPE if self.urgent else EVENT_TYPE,
            "partitionkey": self.player(n),
            "data": {"player_id": self.player(n), **self._words(n)},
        }

    def _words(self, n: int) -> dict[str, str]:
        return {"map": self.marker(n)} if self.urgent else {"guild": self.marker(n), "from": "loadtest"}

    def batches(self) -> Iterator[range]:
        """Return the numbers of the events of each batch."""
        return (
            range(start, min(start + self.batch, self.events)) for start in range(0, self.events, self.batch)
        )
