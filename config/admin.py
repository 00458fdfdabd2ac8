"""Where Django looks for a room's part of the console; this room's is in ``config.console``."""

from config.console import alarms, recipients, schedules, staff

__all__ = ["alarms", "recipients", "schedules", "staff"]
