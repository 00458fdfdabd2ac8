"""Players' inboxes: reading them, and changing the state of what is in them."""

from notifications.inbox.states import Action, Kind, Result, apply

__all__ = ["Action", "Kind", "Result", "apply"]
