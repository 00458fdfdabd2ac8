"""Checking what was decided and what players have, against the log and against each other."""

from notifications.verifying.announced import announcements
from notifications.verifying.deciding import decisions
from notifications.verifying.delivered import deliveries
from notifications.verifying.inboxes import inboxes
from notifications.verifying.undecided import undecided

__all__ = ["announcements", "decisions", "deliveries", "inboxes", "undecided"]
