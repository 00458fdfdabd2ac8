"""How much the database took, hour by hour: what the forecast is made of."""

from typing import ClassVar

from django.db import models


class StorageSample(models.Model):
    """One look at the database's size; a sweep takes one an hour and keeps them for 90 days."""

    at = models.DateTimeField(unique=True)
    used = models.PositiveBigIntegerField(help_text="Bytes in use, indexes included; free pages are not.")
    events = models.PositiveBigIntegerField(help_text="Events in all logs, by the partitions' heads.")
    tables = models.JSONField(default=dict, help_text="Bytes of each table: its rows, and its indexes.")

    class Meta:
        ordering: ClassVar = ["-at"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.used}"
