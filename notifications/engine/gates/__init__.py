"""The gates that a player's notification passes, in order. A new gate is a file here and a line below."""

from notifications.engine.gates import audience, expiry
from notifications.engine.gates.port import Case, Gate

# The order is that of the design: audience, consent and preference, expiry, collapse, digest,
# quiet hours, cap. The condition comes before all of them, once for each event.
GATES: tuple[Gate, ...] = (
    audience.judge,
    expiry.judge,
)

__all__ = ["GATES", "Case", "Gate"]
