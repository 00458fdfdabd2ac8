"""What goes through the log once more: rebuilds of folds, dry runs, and what was never decided."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from events.models.games import Game


class ReplayState(models.TextChoices):
    """Where a replay stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


OPEN = (ReplayState.WAITING, ReplayState.RUNNING)
"""States in which somebody should work on it."""


class Replay(models.Model):
    """One walk through a part of the log. All that the next step needs to know stands in this row.

    The lock on it is the claim; ``turn`` tells a step that was prepared before the lock
    whether another one came first.
    """

    kind = models.CharField(max_length=40)
    target = models.CharField(max_length=120, help_text="The fold, the hub or the rule.")
    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="replays")
    stream = models.CharField(
        max_length=511, blank=True, default="", help_text="Only this one; empty is all."
    )
    begins = models.CharField(max_length=80, blank=True, default="", help_text="From where, as it was asked.")
    ends = models.CharField(max_length=80, blank=True, default="", help_text="To where, as it was asked.")
    options = models.JSONField(default=dict, help_text="What this kind of replay needs besides.")
    trial = models.BooleanField(default=False, help_text="A dry run: writes nothing but this row.")
    reason = models.CharField(max_length=200)
    by = models.CharField(max_length=150, blank=True, default="")
    state = models.CharField(max_length=10, choices=ReplayState, default=ReplayState.WAITING)
    bounds = models.JSONField(
        default=dict, help_text="Partition id to (after this offset, through this one)."
    )
    cursor = models.JSONField(default=dict, help_text="How far it is.")
    carried = models.TextField(
        default="", help_text="State between two steps within one long stream, as JSON."
    )
    turn = models.PositiveBigIntegerField(default=0, help_text="Steps so far.")
    total = models.PositiveBigIntegerField(default=0, help_text="Places of the log to pass.")
    done = models.PositiveBigIntegerField(default=0, help_text="Places passed.")
    events = models.PositiveBigIntegerField(default=0, help_text="Events applied or judged.")
    streams = models.PositiveBigIntegerField(default=0, help_text="Streams finished.")
    without_payload = models.PositiveBigIntegerField(
        default=0, help_text="Events whose payload is no longer there."
    )
    differing = models.PositiveBigIntegerField(default=0, help_text="Rows that were not what the log says.")
    broken = models.PositiveBigIntegerField(default=0, help_text="Streams left alone because they failed.")
    result = models.JSONField(default=dict, help_text="What was found.")
    rate_limit = models.PositiveIntegerField(
        null=True, blank=True, help_text="Events a second, at most; empty means no limit."
    )
    rate = models.FloatField(default=0, help_text="Events a second, lately.")
    pace = models.FloatField(default=0, help_text="Places of the log a second, lately.")
    measured = models.JSONField(default=dict, help_text="Since when and from where the rate is measured.")
    due = models.DateTimeField(default=timezone.now, help_text="The rate limit leaves it alone until then.")
    tries = models.PositiveSmallIntegerField(default=0, help_text="Failures in a row.")
    error = models.CharField(max_length=255, blank=True, default="", help_text="What failed last.")
    created = models.DateTimeField(default=timezone.now)
    started = models.DateTimeField(null=True)
    advanced = models.DateTimeField(null=True, help_text="When its last step was.")
    finished = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(
                fields=["due"], name="replay_due", condition=models.Q(state__in=["waiting", "running"])
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"
