"""Players, and the profiles that ``player.*`` events fold into."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from events.models import Game

PLAYER_KEY_MAX = 128


class Player(models.Model):
    """A player's row: the counters that every device follows. Never emptied, never renumbered.

    Whoever changes what a device shows locks this row, raises ``head`` by one and
    stamps the change with it.
    """

    game = models.ForeignKey(Game, on_delete=models.PROTECT, related_name="players", db_index=False)
    key = models.CharField(max_length=PLAYER_KEY_MAX, help_text="The game's own id of the player.")
    head = models.PositiveBigIntegerField(default=0, help_text="Counter of changes; the newest sequence.")
    number = models.PositiveBigIntegerField(default=0, help_text="Number of the newest notification.")
    unread = models.PositiveIntegerField(default=0)
    seen_through = models.PositiveBigIntegerField(default=0, help_text="All up to this number are seen.")
    seen_seq = models.PositiveBigIntegerField(
        default=0, help_text="The sequence at which that mark moved last."
    )
    seen_at = models.DateTimeField(null=True)
    read_through = models.PositiveBigIntegerField(default=0, help_text="All up to this number are read.")
    read_seq = models.PositiveBigIntegerField(
        default=0, help_text="The sequence at which that mark moved last."
    )
    read_at = models.DateTimeField(null=True)
    decisions = models.PositiveBigIntegerField(
        default=0, help_text="Decisions made about this player so far."
    )
    forgotten = models.PositiveBigIntegerField(
        default=0,
        help_text="The highest sequence of a notification whose row is gone: who resumes from before it starts over.",
    )
    removed = models.PositiveBigIntegerField(
        default=0, help_text="Notifications whose rows retention has removed."
    )
    decisions_removed = models.PositiveBigIntegerField(
        default=0, help_text="Decisions about this player whose rows retention has removed."
    )
    blocked = models.DateTimeField(null=True, blank=True, help_text="Since when they may not connect.")
    erased = models.DateTimeField(null=True, editable=False, help_text="The tombstone that hubs obey.")
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["game", "key"], name="player_once")]
        indexes: ClassVar = [
            # For search by how a key begins, whatever the database's collation:
            models.Index(
                fields=["game", "key"], name="player_prefix", opclasses=["int8_ops", "varchar_pattern_ops"]
            )
        ]

    def __str__(self) -> str:
        return self.key


class Profile(models.Model):
    """A player's profile: a fold over ``player.*`` events, equal after every rebuild."""

    player = models.OneToOneField(Player, on_delete=models.CASCADE, primary_key=True, related_name="profile")
    locale = models.CharField(max_length=35, blank=True, default="", help_text="BCP 47, such as pt-BR.")
    timezone = models.CharField(
        max_length=64, blank=True, default="", help_text="IANA name, such as Asia/Seoul."
    )
    display_name = models.CharField(max_length=120, blank=True, default="")
    attributes = models.JSONField(default=dict, blank=True)
    revision = models.PositiveBigIntegerField(default=0, help_text="Counts the changes; history has each.")
    changed = models.DateTimeField()

    def __str__(self) -> str:
        return self.display_name or str(self.player_id)


class ProfileRevision(models.Model):
    """The profile as it was from one event on. Part of the fold."""

    player = models.ForeignKey(
        Player, on_delete=models.CASCADE, related_name="profile_revisions", db_index=False
    )
    revision = models.PositiveBigIntegerField()
    event = models.BigIntegerField(help_text="Id of the event that made it.")
    locale = models.CharField(max_length=35, blank=True, default="")
    timezone = models.CharField(max_length=64, blank=True, default="")
    display_name = models.CharField(max_length=120, blank=True, default="")
    attributes = models.JSONField(default=dict)
    recorded = models.DateTimeField(help_text="When the event was appended.")

    class Meta:
        ordering: ClassVar = ["player", "-revision"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["player", "revision"], name="profile_revision_once")
        ]

    def __str__(self) -> str:
        return f"{self.player_id} r{self.revision}"
