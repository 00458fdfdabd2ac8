"""What players have: one row for each notification, stamped with the sequence of its latest change."""

from typing import ClassVar

from django.db import models

from events.models import Event, Game
from notifications.models.rules import Rule
from players.models import Player


class Gone(models.TextChoices):
    """Why a notification is no longer there."""

    RECALLED = "recalled"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
    EXPIRED = "expired"


class Notification(models.Model):
    """One thing said to one player.

    ``seq`` is the player's head at its latest change, so "all that changed after n" is
    one range of the index (player, seq). References carry no constraint, as in Decision.
    """

    uid = models.UUIDField(unique=True, help_text="Derived from rule, event and player; the same everywhere.")
    game = models.ForeignKey(
        Game, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    player = models.ForeignKey(
        Player, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="notifications"
    )
    rule = models.ForeignKey(
        Rule, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    event = models.ForeignKey(
        Event, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="notifications"
    )
    number = models.PositiveBigIntegerField(help_text="Immutable place among the player's notifications.")
    seq = models.PositiveBigIntegerField(help_text="The player's head at its latest change.")
    notification_class = models.CharField(max_length=12)
    category = models.CharField(max_length=40)
    title = models.TextField()
    body = models.TextField(blank=True, default="")
    data = models.TextField(default="{}", help_text="JSON text.")
    actions = models.TextField(default="[]", help_text="JSON text.")
    created = models.DateTimeField()
    expires = models.DateTimeField(null=True)
    seen = models.DateTimeField(null=True)
    read = models.DateTimeField(null=True)
    archived = models.DateTimeField(null=True)
    claimed = models.DateTimeField(null=True)
    gone = models.CharField(max_length=10, choices=Gone, blank=True, default="")
    gone_at = models.DateTimeField(null=True)
    replaces = models.UUIDField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["player", "number"], name="notification_number"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["player", "seq"], name="notification_seq"),
            models.Index(fields=["event"], name="notification_event"),
            models.Index(fields=["game", "created", "id"], name="notification_created"),
            models.Index(
                fields=["expires"],
                name="notification_expiring",
                condition=models.Q(
                    expires__isnull=False,
                    read__isnull=True,
                    archived__isnull=True,
                    gone="",
                    notification_class="inbox",
                ),
            ),
        ]

    def __str__(self) -> str:
        return str(self.uid)
