"""The notifications room in the operations console."""

from notifications.admin import decisions, fanouts, inbox, links, revisions, rules

links.add()

__all__ = ["decisions", "fanouts", "inbox", "links", "revisions", "rules"]
