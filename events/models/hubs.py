"""Where each hub stands in the log."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from events.lanes import Lane
from events.models.log import Partition


class Checkpoint(models.Model):
    """The last offset of one lane of one partition that a hub has processed.

    The lock on this row is the claim. ``noted_*`` is written before the work, so that
    work which kills its process is still counted. Only ``noted_by`` decides who may
    finish; ``noted_at`` merely keeps two runs from taking turns off each other.
    """

    hub = models.CharField(max_length=40)
    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, related_name="checkpoints")
    lane = models.PositiveSmallIntegerField(choices=Lane)
    position = models.PositiveBigIntegerField(default=0, help_text="Offset of the last event processed.")
    advanced = models.DateTimeField(default=timezone.now, help_text="When position last moved.")
    processed = models.PositiveBigIntegerField(default=0, help_text="Events processed so far.")
    passed = models.PositiveBigIntegerField(
        default=0,
        help_text="Events of the lane up to position, parked and waiting ones included."
        " The lane's count less this is the lag in events.",
    )
    paused = models.BooleanField(default=False)
    noted_position = models.PositiveBigIntegerField(
        null=True, help_text="The position from which work was begun and not yet finished."
    )
    noted_tries = models.PositiveSmallIntegerField(default=0, help_text="Tries from that position.")
    noted_by = models.BigIntegerField(null=True, help_text="The try that may finish it: a random number.")
    noted_at = models.DateTimeField(
        null=True, help_text="When; others leave it alone for a second. Empty once the try has failed."
    )
    holder = models.CharField(
        max_length=120, default="", blank=True, help_text="Which process noted it last, as host:pid."
    )
    joined = models.PositiveBigIntegerField(
        default=0,
        help_text="The lane's head when the hub began to follow it: up to there it catches up with history,"
        " which says nothing about overload.",
    )
    alone_left = models.PositiveSmallIntegerField(
        default=0,
        help_text="How many events are still to be processed one by one, after a batch failed twice.",
    )

    class Meta:
        ordering: ClassVar = ["hub", "partition", "lane"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["hub", "partition", "lane"], name="checkpoint_once")
        ]

    def __str__(self) -> str:
        return f"{self.hub} {self.partition.game.slug}/{self.partition.number} {self.get_lane_display()}"


class LaneSample(models.Model):
    """How far a hub was in one lane, every five seconds for ten minutes: for rates and trends at once."""

    hub = models.CharField(max_length=40)
    lane = models.PositiveSmallIntegerField(choices=Lane)
    tick = models.PositiveBigIntegerField(
        help_text="Which five seconds, since 1970: whoever is first writes it."
    )
    at = models.DateTimeField()
    passed = models.PositiveBigIntegerField(help_text="Events passed in all.")
    events = models.PositiveBigIntegerField(help_text="The lag in events.")

    class Meta:
        ordering: ClassVar = ["tick", "hub", "lane"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["tick", "hub", "lane"], name="lane_sample_once")
        ]

    def __str__(self) -> str:
        return f"{self.hub} {self.get_lane_display()} {self.at:%H:%M:%S}"
