"""How a delivery ends, or a try of it, without a word of whoever sent it."""

from datetime import datetime

from notifications.models import Delivery
from notifications.models.deliveries import State

OUTLIVED = "no time left"
INTERRUPTED = "interrupted"


def cancel(row: Delivery, reason: str, now: datetime) -> None:
    """End what nobody would want any more."""
    row.state, row.reason, row.finished = State.CANCELLED, reason, now


def outlive(row: Delivery, now: datetime) -> None:
    """End what has had its time or its tries: it is dead, and staff may send it again."""
    row.state, row.finished = State.DEAD, now
    row.error = row.error or OUTLIVED
    row.first_error = row.first_error or row.error
    row.detail = row.detail or "it waited for a day without being tried"


def interrupt(row: Delivery) -> None:
    """Count a try whose lease has ended: whoever made it was killed, or stands still.

    It counts as a failed one, or a delivery that kills its senders would be tried for ever.
    """
    row.step += 1
    row.error, row.detail = INTERRUPTED, "whoever made the try ended before saying what came of it"
    row.first_error = row.first_error or row.error
    row.history = [
        {**each, "ended": INTERRUPTED} if each["n"] == row.tries and "ended" not in each else each
        for each in row.history
    ]
