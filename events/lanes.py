"""The three lanes in which a partition's events are followed."""

from django.db import models


class Lane(models.IntegerChoices):
    """How soon an event must be worked off; lower overtakes higher.

    Taken from the event type when the event is appended and stored on it for good.
    """

    URGENT = 0, "urgent"
    NORMAL = 1, "normal"
    BULK = 2, "bulk"
