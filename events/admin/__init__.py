"""The events room in the operations console."""

from events.admin import games, hubs, log

__all__ = ["games", "hubs", "log"]
