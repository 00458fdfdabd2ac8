"""What hubs had to leave behind, and what was tried with it since."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from events.lanes import Lane
from events.models.games import Game
from events.models.log import Partition


class RetryRound(models.Model):
    """A retry, or a skip, of all dead letters with one fingerprint, at a bounded rate; a retry tries one first."""

    class State(models.TextChoices):
        """What it is at."""

        PROBING = "probing", "trying one"
        RUNNING = "running", "going on"
        STOPPED = "stopped", "stopped: it failed again"
        FINISHED = "finished", "finished"
        CANCELLED = "cancelled", "cancelled"

    hub = models.CharField(max_length=40)
    fingerprint = models.CharField(max_length=16)
    by = models.CharField(max_length=150, help_text="Who asked for it.")
    reason = models.CharField(max_length=200)
    skips = models.BooleanField(
        default=False, help_text="It skips the event at which each letter stands, and tries none."
    )
    created = models.DateTimeField(default=timezone.now)
    state = models.CharField(max_length=9, choices=State, default=State.PROBING)
    total = models.PositiveIntegerField(help_text="Letters that it began with.")
    passed = models.PositiveIntegerField(
        default=0, help_text="Letters whose event was processed, or skipped, now."
    )
    failed = models.PositiveIntegerField(default=0, help_text="Letters that failed again.")
    next_at = models.DateTimeField(
        default=timezone.now,
        help_text="When the next letter may begin; this bounds the rate over all processes.",
    )
    finished = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["hub", "fingerprint"],
                name="retry_round_open_once",
                condition=models.Q(finished__isnull=True),
            )
        ]
        indexes: ClassVar = [models.Index(fields=["hub", "fingerprint", "id"], name="retry_round_group")]

    def __str__(self) -> str:
        return f"{self.hub} {self.fingerprint} by {self.by}"


class LetterState(models.IntegerChoices):
    """How a dead letter is; in the order in which one wants to hear of them."""

    WAITING = 0, "waiting"
    RETRYING = 1, "being retried"
    RESOLVED = 2, "resolved"
    SKIPPED = 3, "skipped"


OPEN = (LetterState.WAITING, LetterState.RETRYING)


class DeadLetter(models.Model):
    """A parked stream of a hub and lane, from a version on.

    Later events of that stream and lane wait in the log; nothing is copied. ``version`` moves
    in the transaction that processes the event there. ``noted_*`` is written before the work,
    with the time of the retry after it: so a try that ends its process is counted too.
    """

    hub = models.CharField(max_length=40)
    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="dead_letters")
    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, related_name="dead_letters")
    lane = models.PositiveSmallIntegerField(choices=Lane)
    stream = models.CharField(max_length=511)
    version = models.PositiveBigIntegerField(help_text="The first version that could not be processed.")
    event_offset = models.PositiveBigIntegerField(help_text="Its offset.")
    event_type = models.CharField(max_length=255)
    cause = models.CharField(max_length=255, help_text="Class of the error.")
    fingerprint = models.CharField(
        max_length=16, default="", help_text="The same for the same hub, error and places in the code."
    )
    traceback = models.TextField(help_text="Where it happened; without values.")
    tries = models.PositiveSmallIntegerField(help_text="Tries with the event at which it stands.")
    created = models.DateTimeField(default=timezone.now, help_text="When it was parked.")
    first_failed = models.DateTimeField(
        default=timezone.now, help_text="When the event at which it stands first failed for good."
    )
    last_failed = models.DateTimeField(default=timezone.now)
    retries = models.PositiveSmallIntegerField(
        default=0, help_text="Automatic and other retries of that event since."
    )
    next_retry = models.DateTimeField(null=True, help_text="Empty: it waits for somebody.")
    round = models.ForeignKey(RetryRound, null=True, on_delete=models.SET_NULL, related_name="letters")
    asked_by = models.CharField(
        max_length=150,
        default="",
        blank=True,
        help_text="Who asked for the next retry; empty for Clarion itself.",
    )
    noted_by = models.BigIntegerField(null=True, help_text="The try that may finish: a random number.")
    noted_at = models.DateTimeField(null=True, help_text="When it last got somewhere.")
    resolved = models.DateTimeField(null=True)
    skipped = models.BooleanField(
        default=False, help_text="The last that waited was skipped, and so it is resolved."
    )
    state = models.GeneratedField(
        expression=models.Case(
            models.When(resolved__isnull=False, skipped=True, then=LetterState.SKIPPED.value),
            models.When(resolved__isnull=False, then=LetterState.RESOLVED.value),
            models.When(
                models.Q(round__isnull=False) | models.Q(noted_by__isnull=False) | ~models.Q(asked_by=""),
                then=LetterState.RETRYING.value,
            ),
            default=LetterState.WAITING.value,
        ),
        output_field=models.PositiveSmallIntegerField(choices=LetterState),
        db_persist=True,
    )

    class Meta:
        ordering: ClassVar = ["-created"]
        permissions: ClassVar = [
            ("skip_deadletter", "Can skip dead letters: their events are never processed")
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["hub", "partition", "lane", "stream"],
                name="dead_letter_open_once",
                condition=models.Q(resolved__isnull=True),
            )
        ]
        indexes: ClassVar = [
            models.Index(
                fields=["next_retry"], name="dead_letter_due", condition=models.Q(resolved__isnull=True)
            ),
            # Groups are read by steps through these, never by walking the table.
            models.Index(fields=["hub", "fingerprint", "game", "state", "id"], name="dead_letter_group"),
            models.Index(fields=["hub", "fingerprint", "game", "last_failed"], name="dead_letter_seen"),
            models.Index(
                fields=["hub", "fingerprint", "game", "next_retry"],
                name="dead_letter_next",
                condition=models.Q(resolved__isnull=True),
            ),
            models.Index(fields=["game", "stream"], name="dead_letter_stream"),
            models.Index(fields=["resolved"], name="dead_letter_resolved"),
        ]

    def __str__(self) -> str:
        return f"{self.hub} {self.stream}@{self.version}"


class LetterStep(models.Model):
    """One line of a dead letter's history: what was tried or decided, by whom, and what came of it."""

    class Outcome(models.TextChoices):
        """What came of it."""

        FAILED = "failed", "failed again"
        ENDED = "ended", "the process ended"
        WORKED = "worked", "events processed"
        RESOLVED = "resolved", "nothing is left"
        SKIPPED = "skipped", "skipped"

    letter = models.ForeignKey(DeadLetter, on_delete=models.CASCADE, related_name="steps")
    at = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=150, default="", blank=True, help_text="Empty: Clarion itself.")
    reason = models.CharField(max_length=200, default="", blank=True)
    outcome = models.CharField(max_length=8, choices=Outcome)
    cause = models.CharField(max_length=255, default="", blank=True)
    version = models.PositiveBigIntegerField(help_text="The version at which it then stood.")
    events = models.PositiveIntegerField(default=0, help_text="Events processed or skipped.")

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.letter_id} {self.outcome}"


class Skip(models.Model):
    """Events of a stream and lane that staff decided a hub would never process. Kept for ever.

    A rebuild leaves them out again, so that a rebuilt fold equals the one that live has made;
    nothing is decided about them later either.
    """

    hub = models.CharField(max_length=40)
    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="skips")
    partition = models.ForeignKey(Partition, on_delete=models.CASCADE, related_name="skips")
    lane = models.PositiveSmallIntegerField(choices=Lane)
    stream = models.CharField(max_length=511)
    first = models.PositiveBigIntegerField(help_text="The first version skipped.")
    last = models.PositiveBigIntegerField(
        help_text="The last; those of other lanes in between are not meant."
    )
    events = models.PositiveIntegerField(help_text="How many.")
    at = models.DateTimeField(default=timezone.now)
    by = models.CharField(max_length=150)
    reason = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [models.Index(fields=["hub", "partition", "stream"], name="skip_stream")]

    def __str__(self) -> str:
        return f"{self.hub} {self.stream}@{self.first}-{self.last}"
