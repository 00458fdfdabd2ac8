"""Pushing: a hint that arrives sooner. The database is delivery."""

from notifications.push.publishing import publish, publish_announcement, publish_control
from notifications.push.transport import Announced, Change, Changes, Control, Message

__all__ = [
    "Announced",
    "Change",
    "Changes",
    "Control",
    "Message",
    "publish",
    "publish_announcement",
    "publish_control",
]
