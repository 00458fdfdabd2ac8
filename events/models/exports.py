"""Parts of the log that were written to files, and checked by reading them back."""

from typing import ClassVar

from django.db import models

from events.models.games import Game
from events.models.log import Partition


class ExportedPart(models.Model):
    """One file: a span of offsets of one partition. Its manifest, beside it, says the same."""

    game = models.ForeignKey(Game, on_delete=models.PROTECT, related_name="+")
    partition = models.ForeignKey(Partition, on_delete=models.PROTECT, related_name="+", db_index=False)
    start = models.PositiveBigIntegerField(help_text="The first offset.")
    stop = models.PositiveBigIntegerField(help_text="The last offset.")
    name = models.CharField(
        max_length=255, unique=True, help_text="In the storage that CLARION_EXPORT names."
    )
    sha256 = models.CharField(max_length=64)
    size = models.PositiveBigIntegerField(help_text="Bytes of the compressed file.")
    at = models.DateTimeField(help_text="When it was read back and found right.")

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["partition", "start"], name="exported_place")]

    def __str__(self) -> str:
        return self.name
