"""Which payloads were taken out of the log, by whom and why: the difference between erased and lost."""

from typing import ClassVar

from django.db import models

from events.models.append_only import AppendOnlyModel
from events.models.games import Game
from events.models.log import Partition


class Why(models.TextChoices):
    """What took a payload."""

    STAFF = "staff", "staff erased it"
    PLAYER = "player", "its player was erased"
    RETENTION = "retention", "it was older than the game keeps payloads"


class Erasure(AppendOnlyModel):
    """One step of erasing: which offsets of a partition lost their payloads, all or some of a span.

    ``bits`` has one bit for each offset from ``start`` on, the lowest of a byte first. So a
    million erased payloads cost some hundred kilobytes, and none that was not recorded hides
    in a span.
    """

    game = models.ForeignKey(Game, on_delete=models.PROTECT, related_name="+")
    partition = models.ForeignKey(Partition, on_delete=models.PROTECT, related_name="+", db_index=False)
    start = models.PositiveBigIntegerField(help_text="The first offset.")
    stop = models.PositiveBigIntegerField(help_text="The last offset.")
    bits = models.BinaryField(help_text="Which of them, from the first on.")
    count = models.PositiveIntegerField(help_text="How many.")
    why = models.CharField(max_length=10, choices=Why)
    by = models.CharField(max_length=150, blank=True, help_text="Who asked for it; empty for Clarion itself.")
    reason = models.CharField(max_length=200, blank=True)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["partition", "start"], name="erasure_place")]

    def __str__(self) -> str:
        return f"{self.count} in {self.partition_id}:{self.start}-{self.stop}"

    def covers(self, offset: int) -> bool:
        """Tell whether the payload at this offset was taken."""
        place = offset - self.start
        return 0 <= place <= self.stop - self.start and bool(bytes(self.bits)[place >> 3] >> (place & 7) & 1)
