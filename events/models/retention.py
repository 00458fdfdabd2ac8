"""How long a game keeps what, and how far the sweeps that see to it are."""

from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone

from events.models.games import Game

_ONE = [MinValueValidator(1)]


class Retention(models.Model):
    """One game's choice. What is empty is kept for ever; where both are given, whichever comes first takes it."""

    game = models.OneToOneField(Game, on_delete=models.CASCADE, primary_key=True, related_name="retention")
    payload_days = models.PositiveIntegerField(
        "payloads, days",
        null=True,
        blank=True,
        validators=_ONE,
        help_text="Payloads of events that were appended longer ago go; the events stay. What profiles are folded"
        " from, what staff did, and what a hub or a dead letter still needs is kept whatever its age.",
    )
    payloads = models.PositiveBigIntegerField(
        "payloads, newest",
        null=True,
        blank=True,
        validators=_ONE,
        help_text="So many of the game's newest events keep their payloads, at least.",
    )
    export = models.BooleanField(
        "export first",
        default=False,
        help_text="Payloads go only once they were written to a file that was read back and checked.",
    )
    notification_days = models.PositiveIntegerField(
        "notifications, days",
        null=True,
        blank=True,
        validators=_ONE,
        help_text="Older ones leave the inbox, read or not, and their rows go a week later.",
    )
    notifications = models.PositiveIntegerField(
        "notifications, newest",
        null=True,
        blank=True,
        validators=_ONE,
        help_text="So many of the newest stay in each player's inbox.",
    )
    decision_days = models.PositiveIntegerField(
        "decisions, days",
        null=True,
        blank=True,
        validators=_ONE,
        help_text="Older ones can no longer be explained, nor decided again.",
    )
    profile_days = models.PositiveIntegerField(
        "profile history, days",
        null=True,
        blank=True,
        validators=_ONE,
        help_text="Earlier states of profiles go; how a profile is now stays.",
    )

    class Meta:
        verbose_name_plural = "retention"

    def __str__(self) -> str:
        return str(self.game)


class Sweep(models.Model):
    """How far one kind of retention has come in a game, or in one partition of it.

    The lock on this row is the claim; what a step takes, and how far it has come, is one
    transaction.
    """

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=40)
    part = models.PositiveBigIntegerField(default=0, help_text="The partition's id, 0 for the whole game.")
    position = models.PositiveBigIntegerField(default=0, help_text="The last that was looked at.")
    after = models.CharField(max_length=200, blank=True, default="", help_text="Where there is no number.")
    left_from = models.PositiveBigIntegerField(
        null=True, help_text="The first that had to be left, because something still needed it."
    )
    restart = models.DateTimeField(null=True, help_text="When to look at what was left once more.")
    taken = models.PositiveBigIntegerField(default=0, help_text="How many so far.")
    complete_from = models.DateTimeField(null=True, help_text="Nothing of this time or later was taken.")
    due = models.DateTimeField(default=timezone.now, help_text="When to go on.")

    class Meta:
        ordering: ClassVar = ["game", "name", "part"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["game", "name", "part"], name="sweep_once")]
        indexes: ClassVar = [models.Index(fields=["due"], name="sweep_due")]

    def __str__(self) -> str:
        return f"{self.name} {self.game_id}/{self.part}"
