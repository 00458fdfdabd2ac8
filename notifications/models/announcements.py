"""What a whole game is told: one row, read by many, with a sequence of the game's own."""

from typing import ClassVar

from django.db import models

from events.models import Game
from players.models import Player


class Announcement(models.Model):
    """One message to everybody. Each put, update or end raises the game's announcement sequence."""

    uid = models.UUIDField(unique=True)
    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="+", db_index=False)
    seq = models.PositiveBigIntegerField(help_text="The game's announcement sequence at its latest change.")
    category = models.CharField(max_length=40, default="announcement")
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True, default="")
    data = models.JSONField(default=dict, blank=True)
    actions = models.JSONField(default=list, blank=True)
    created = models.DateTimeField()
    expires = models.DateTimeField(null=True, blank=True)
    gone = models.CharField(max_length=10, blank=True, default="", help_text="Empty while it is current.")
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["game", "seq"], name="announcement_seq")]

    def __str__(self) -> str:
        return str(self.uid)


class AnnouncementRead(models.Model):
    """A player has read an announcement: a change of that player's, at ``seq``."""

    player = models.ForeignKey(
        Player, on_delete=models.CASCADE, related_name="announcements_read", db_index=False
    )
    announcement = models.ForeignKey(Announcement, on_delete=models.CASCADE, related_name="+")
    seq = models.PositiveBigIntegerField(help_text="The player's head at that change.")
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["player", "announcement"], name="announcement_read_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["player", "seq"], name="announcement_read_seq")]

    def __str__(self) -> str:
        return f"{self.player_id} {self.announcement_id}"
