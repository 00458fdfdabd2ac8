"""The events room in the operations console."""

from events.admin import games, hubs, keys, log, replays, retention

__all__ = ["games", "hubs", "keys", "log", "replays", "retention"]
