"""Alarms: what is wrong since when, who is told of it, and what the watch itself must remember."""

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from events.models.games import ApiKey, Game

NOTE_MAX = 200


class Severity(models.TextChoices):
    """How soon somebody should look."""

    CRITICAL = "critical", "critical: players notice, or soon will"
    WARNING = "warning", "warning: look today"

    @property
    def rank(self) -> int:
        """The higher, the worse."""
        return 2 if self is Severity.CRITICAL else 1


class Alarm(models.Model):
    """A condition that holds, or held. It opens when it has held for a while, and ends by itself.

    At most one row of a kind and key has not ended. A row that has not ``opened`` is only a suspicion.
    """

    uid = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=200, blank=True, default="", help_text="What it is about.")
    game = models.ForeignKey(
        Game, null=True, on_delete=models.CASCADE, related_name="+", help_text="Empty: all games."
    )
    severity = models.CharField(max_length=8, choices=Severity)
    since = models.DateTimeField(help_text="Since when the condition holds, as far as one can know.")
    noticed = models.DateTimeField(help_text="When a look first found it.")
    opened = models.DateTimeField(null=True, help_text="When it had held for long enough.")
    last_seen = models.DateTimeField(help_text="When a look last found it.")
    ended = models.DateTimeField(null=True)
    value = models.FloatField(help_text="As last measured.")
    worst = models.FloatField(help_text="The worst value of all looks.")
    limit = models.FloatField()
    text = models.CharField(max_length=500)
    url = models.CharField(max_length=500, help_text="The list behind it.")
    acknowledged = models.DateTimeField(null=True)
    acknowledged_by = models.CharField(max_length=150, blank=True, default="")
    note = models.CharField(max_length=NOTE_MAX, blank=True, default="")

    class Meta:
        ordering: ClassVar = ["-since"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "key"], name="alarm_open_once", condition=Q(ended__isnull=True)
            )
        ]
        indexes: ClassVar = [models.Index(fields=["ended"], name="alarm_ended")]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}".strip()


class AlarmLimit(models.Model):
    """What staff have changed of a kind's limit; a kind without a row has its default."""

    kind = models.CharField(max_length=40, unique=True, editable=False)
    limit = models.FloatField(null=True, blank=True, help_text="Empty: the default.")
    severity = models.CharField(
        max_length=8, choices=Severity, blank=True, default="", help_text="Empty: the default."
    )
    enabled = models.BooleanField(default=True, help_text="Off: this is not watched at all.")

    class Meta:
        ordering: ClassVar = ["kind"]

    def __str__(self) -> str:
        return self.kind


class AlarmMute(models.Model):
    """Nothing leaves about a kind (or one key of it) until a time; the console goes on showing it."""

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=200, blank=True, default="", help_text="Empty: all of this kind.")
    until = models.DateTimeField()
    reason = models.CharField(max_length=NOTE_MAX)
    by = models.CharField(max_length=150, editable=False)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["-until"]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}".strip()


class AlarmRecipient(models.Model):
    """Somebody who is told of alarms, where they look even when the console is closed."""

    class Channel(models.TextChoices):
        WEBHOOK = "webhook", "signed webhook"
        EMAIL = "email", "e-mail"

    name = models.CharField(max_length=80, unique=True, help_text="Such as on-call or ops chat.")
    channel = models.CharField(max_length=8, choices=Channel)
    address = models.CharField(max_length=2_000, help_text="A web address, or an e-mail address.")
    salt = models.BinaryField(
        max_length=32, editable=False, help_text="The webhook's secret follows from it."
    )
    severity = models.CharField(
        max_length=8, choices=Severity, default=Severity.WARNING, help_text="Told of this and what is worse."
    )
    games = models.ManyToManyField(
        Game,
        blank=True,
        help_text="Only alarms of these games, and those that concern all. None: of all games.",
    )
    enabled = models.BooleanField(default=True)
    delivered = models.DateTimeField(null=True, editable=False, help_text="When something last arrived.")
    failing = models.DateTimeField(null=True, editable=False, help_text="Since when nothing arrives.")
    error = models.CharField(max_length=300, blank=True, default="", editable=False)
    created = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class AlarmTelling(models.Model):
    """How often somebody was told of an alarm, and when they are told again.

    ``told`` is noted after the sending: a crash in between sends the same number, and so the
    same id, again.
    """

    alarm = models.ForeignKey(Alarm, on_delete=models.CASCADE, related_name="tellings")
    recipient = models.ForeignKey(AlarmRecipient, on_delete=models.CASCADE, related_name="tellings")
    told = models.PositiveIntegerField(default=0)
    last_told = models.DateTimeField(null=True)
    due = models.DateTimeField(help_text="When they are told again, while it is not acknowledged.")
    end_told = models.DateTimeField(null=True)
    tries = models.PositiveSmallIntegerField(default=0, help_text="That failed since something last arrived.")
    retry = models.DateTimeField(null=True, help_text="Not before, after a failure.")
    error = models.CharField(max_length=300, blank=True, default="")
    claimed = models.DateTimeField(null=True, help_text="When a process began to send.")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["alarm", "recipient"], name="alarm_telling_once")
        ]

    def __str__(self) -> str:
        return f"{self.alarm_id} to {self.recipient_id}"


class Heartbeat(models.Model):
    """When something that should go on for ever was last done: the sweeps, the watch's look."""

    name = models.CharField(max_length=40, primary_key=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=120, blank=True, default="", help_text="The process, as host:pid.")

    def __str__(self) -> str:
        return self.name


class ProducerMinute(models.Model):
    """How many events of an API key were new in a minute, and how many repeats."""

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE, related_name="+")
    minute = models.DateTimeField()
    appended = models.PositiveIntegerField(default=0)
    duplicates = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["minute", "api_key"], name="producer_minute_once")
        ]

    def __str__(self) -> str:
        return f"{self.api_key_id} {self.minute:%Y-%m-%d %H:%M}"
