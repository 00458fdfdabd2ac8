"""The notifications room in the operations console."""

from notifications.admin import (
    decisions,
    deliveries,
    endpoints,
    fanouts,
    inbox,
    links,
    missed,
    revisions,
    rules,
)

links.add()
missed.add_reports()

__all__ = [
    "decisions",
    "deliveries",
    "endpoints",
    "fanouts",
    "inbox",
    "links",
    "missed",
    "revisions",
    "rules",
]
