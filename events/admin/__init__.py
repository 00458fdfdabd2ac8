"""The events room in the operations console."""

from events.admin import dead_letters, games, hubs, keys, log, replays, retention, storage

__all__ = ["dead_letters", "games", "hubs", "keys", "log", "replays", "retention", "storage"]
