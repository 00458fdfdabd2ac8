"""Where Django looks for a room's part of the console; this room's is in ``config.console``."""

from config.console import schedules, staff

__all__ = ["schedules", "staff"]
