"""The log: append and read. The only code that touches the event table."""

from events.log.appending import append, append_own, new_id, submit
from events.log.entries import Appended, Conflict, Duplicate, Entry, Outcome
from events.log.logged import LoggedEvent

__all__ = [
    "Appended",
    "Conflict",
    "Duplicate",
    "Entry",
    "LoggedEvent",
    "Outcome",
    "append",
    "append_own",
    "new_id",
    "submit",
]
