"""Pushing: a hint that arrives sooner. The database is delivery."""

from notifications.push.publishing import publish, publish_announcement, publish_newest
from notifications.push.transport import Announced, Change, Changes, Message, Newest, Replaced

__all__ = [
    "Announced",
    "Change",
    "Changes",
    "Message",
    "Newest",
    "Replaced",
    "publish",
    "publish_announcement",
    "publish_newest",
]
