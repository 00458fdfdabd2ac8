"""What the log was seen to be, kept apart from the partition's own row."""

from typing import ClassVar

from django.db import models

from events.models.log import Partition


class Witness(models.Model):
    """The newest head of a partition that was seen on a day, with its digest.

    The digest vouches for all that came before it. So a log whose end was cut off, or which was
    written anew from some place on, contradicts its witness, however well its heads were mended.
    """

    partition = models.ForeignKey(
        Partition, on_delete=models.CASCADE, related_name="witnesses", db_index=False
    )
    day = models.DateField(help_text="In UTC.")
    head = models.PositiveBigIntegerField(help_text="Offset of the last event then.")
    digest = models.BinaryField(max_length=32, help_text="Digest of that event.")
    seen = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["partition", "day"], name="witness_once_a_day")
        ]

    def __str__(self) -> str:
        return f"{self.partition_id}:{self.head}"
