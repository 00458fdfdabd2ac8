"""The log: partitions with their heads, the events in them, and the outbox before them."""

from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.db.models.lookups import Exact
from django.utils import timezone

from events.lanes import Lane
from events.models.append_only import AppendOnlyModel
from events.models.games import Game

OFFSET_BITS = 40
"""An event's id is its partition's id in the high bits and its offset in the low 40."""


class Partition(models.Model):
    """One slice of a game's log: whoever locks this row is its only writer."""

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="partition_rows")
    number = models.PositiveSmallIntegerField(help_text="From 0.")
    head = models.PositiveBigIntegerField(
        default=0, help_text="Offset of the last event, 0 while there is none."
    )
    urgent_head = models.PositiveBigIntegerField(default=0)
    normal_head = models.PositiveBigIntegerField(default=0)
    bulk_head = models.PositiveBigIntegerField(default=0)
    urgent_count = models.PositiveBigIntegerField(
        default=0,
        help_text="Events of that lane. Raised with its head; what a hub has passed is taken off it.",
    )
    normal_count = models.PositiveBigIntegerField(default=0)
    bulk_count = models.PositiveBigIntegerField(default=0)
    digest = models.BinaryField(max_length=32, default=bytes(32), help_text="Digest of the last event.")

    class Meta:
        ordering: ClassVar = ["game", "number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["game", "number"], name="partition_once")]

    def __str__(self) -> str:
        return f"{self.game_id}/{self.number}"


class Event(AppendOnlyModel):
    """An immutable fact. Written only by ``events.log``, refused everywhere else."""

    id = models.BigIntegerField(
        primary_key=True,
        help_text="partition id * 2^40 + offset: unique and in commit order within a partition.",
    )
    game = models.ForeignKey(Game, on_delete=models.PROTECT, db_index=False, related_name="+")
    partition = models.ForeignKey(Partition, on_delete=models.PROTECT, db_index=False, related_name="+")
    offset = models.PositiveBigIntegerField(help_text="Place in the partition, from 1, without holes.")
    lane = models.PositiveSmallIntegerField(choices=Lane)
    stream = models.CharField(max_length=511, help_text="The ordering key.")
    version = models.PositiveBigIntegerField(help_text="Place in the stream, from 1, without holes.")
    source = models.CharField(max_length=255)
    event_id = models.CharField(
        max_length=255, help_text="The producer's id; with source the event's identity."
    )
    type = models.CharField(max_length=255)
    subject = models.CharField(max_length=255, null=True)
    time = models.DateTimeField(null=True, help_text="When it happened, as the producer says.")
    recorded = models.DateTimeField(help_text="When it was appended.")
    expires = models.DateTimeField(null=True)
    datacontenttype = models.CharField(max_length=255, null=True)
    dataschema = models.CharField(max_length=2048, null=True)
    data_encoding = models.CharField(max_length=8, help_text="json, text, base64, or empty for no data.")
    data = models.TextField(null=True, help_text="As it came, to the letter: the digest depends on it.")
    extensions = models.TextField(default="{}", help_text="All other attributes as canonical JSON text.")
    traceparent = models.CharField(max_length=64, default="")
    salt = models.BinaryField(
        max_length=16, null=True, help_text="Of the payload digest; goes with the payload."
    )
    payload_digest = models.BinaryField(max_length=32, help_text="SHA-256(salt, data).")
    digest = models.BinaryField(
        max_length=32, help_text="SHA-256(previous digest, envelope, payload digest)."
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["partition", "lane", "offset"], name="event_place"),
            models.UniqueConstraint(fields=["game", "source", "event_id"], name="event_identity"),
            models.UniqueConstraint(fields=["game", "stream", "version"], name="event_version"),
            models.CheckConstraint(
                name="event_id_is_its_place",
                condition=Q(Exact(F("id"), F("partition_id") * (1 << OFFSET_BITS) + F("offset"))),
            ),
        ]
        indexes: ClassVar = [
            # For the console's lists: the newest of a game, and of a type in a game.
            models.Index(fields=["game", "recorded", "id"], name="event_recorded"),
            models.Index(fields=["game", "type", "recorded", "id"], name="event_type"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"


class OutboxEvent(models.Model):
    """An event that Clarion itself causes, written with the change that causes it.

    It is appended after that transaction's commit, or by the sweep; its deterministic
    id makes a second append harmless.
    """

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="+")
    event_id = models.CharField(max_length=255, help_text="Deterministic, such as claim:<notification>.")
    type = models.CharField(max_length=255)
    stream = models.CharField(max_length=255)
    lane = models.PositiveSmallIntegerField(choices=Lane, default=Lane.URGENT)
    data = models.TextField(help_text="JSON text.")
    created = models.DateTimeField(default=timezone.now)
    appended = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["game", "event_id"], name="outbox_event_once")
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="outbox_waiting", condition=Q(appended__isnull=True)),
            models.Index(fields=["appended"], name="outbox_appended"),
        ]

    def __str__(self) -> str:
        return f"{self.type} {self.event_id}"
