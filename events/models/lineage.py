"""Which history of the database this is."""

from typing import ClassVar

from django.db import models
from django.utils import timezone


class Lineage(models.Model):
    """One row, made at the first start: what the database was when epochs were last compared.

    A copy that is restored brings an older row with it; so what is so and what is written here differ.
    """

    only = models.BooleanField(primary_key=True, default=True)
    identity = models.CharField(
        max_length=120, blank=True, default="",
        help_text="PostgreSQL's system id, timeline and database; empty where they cannot be told.",
    )  # fmt: skip
    ticks = models.PositiveBigIntegerField(
        default=0, help_text="Embedded: counts on while it runs; the data folder keeps the same number."
    )
    renewals = models.PositiveIntegerField(default=0, help_text="How often all epochs were renewed.")
    token = models.CharField(
        max_length=32,
        default="",
        help_text="A random text of the last renewal: processes compare it with theirs.",
    )
    renewed = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(name="lineage_is_one_row", condition=models.Q(only=True))
        ]

    def __str__(self) -> str:
        return self.identity or f"tick {self.ticks}"
