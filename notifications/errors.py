"""Everything that the notifications room raises, as one family; the engine, which is pure, has its own.

EventsError
└── NotificationsError
    ├── AnnouncementEnded   it was taken back, and cannot be changed any more
    └── Undelivered         a try by another channel has failed (notifications.delivery.channel)
"""

from events.errors import EventsError


class NotificationsError(EventsError):
    """Root of the family."""


class AnnouncementEnded(NotificationsError):
    """The announcement was taken back. Put a new one: devices have removed this one for good."""

    def __init__(self) -> None:
        super().__init__("this announcement has ended and cannot be changed any more; put a new one")
