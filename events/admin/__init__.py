"""The events room in the operations console."""

from events.admin import games, hubs, keys, log, replays, retention, storage

__all__ = ["games", "hubs", "keys", "log", "replays", "retention", "storage"]
