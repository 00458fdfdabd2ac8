"""How much one client may say."""

from time import monotonic

from notifications.gateway import protocol


class Allowance:
    """Allows a burst, then a rate."""

    def __init__(self) -> None:
        """Start with the whole burst."""
        self._left, self._at = protocol.MESSAGES_BURST, monotonic()

    def charge(self, cost: float = 1.0) -> bool:
        """Take a message; False when it is one too many."""
        now = monotonic()
        earned = (now - self._at) * protocol.MESSAGES_A_SECOND
        self._left = min(protocol.MESSAGES_BURST, self._left + earned) - cost
        self._at = now
        return self._left >= 0
