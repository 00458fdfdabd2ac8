"""Withdrawals: what staff take back together with the payload that it was rendered from."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from events.models import Event, Game


class Withdrawal(models.Model):
    """One event whose notifications are being withdrawn, a page of them at a time.

    References carry no constraint, as in Decision.
    """

    game = models.ForeignKey(
        Game, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    event = models.ForeignKey(
        Event, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    by = models.CharField(max_length=150, help_text="Who asked for it.")
    reason = models.CharField(max_length=200)
    cursor = models.BigIntegerField(default=0, help_text="Id of the last notification that was looked at.")
    emptied = models.PositiveIntegerField(default=0, help_text="Notifications whose words are gone.")
    withdrawn = models.PositiveIntegerField(
        default=0, help_text="Those of them that a device may have shown: each a change."
    )
    created = models.DateTimeField(default=timezone.now)
    finished = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["id"], name="withdrawal_waiting", condition=models.Q(finished__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.withdrawn} withdrawn"
