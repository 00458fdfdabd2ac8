"""Players whose payloads are being taken out of the log."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from players.models.players import Player


class PlayerErasure(models.Model):
    """How far the log has been freed of an erased player. What comes later about them opens it again."""

    player = models.OneToOneField(Player, on_delete=models.CASCADE, primary_key=True, related_name="erasure")
    version = models.PositiveBigIntegerField(default=0, help_text="Of their stream: erased up to here.")
    place = models.PositiveBigIntegerField(
        default=0, help_text="Of the decisions about them: their events are erased up to here."
    )
    erased = models.PositiveBigIntegerField(default=0, help_text="Payloads taken so far.")
    due = models.DateTimeField(
        default=timezone.now, help_text="When to go on; later where something still needs a payload."
    )
    finished = models.DateTimeField(null=True)

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["due"], name="player_erasure_due", condition=models.Q(finished__isnull=True))
        ]

    def __str__(self) -> str:
        return f"{self.player_id} {'done' if self.finished else 'goes on'}"
