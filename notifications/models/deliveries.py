"""What is brought to players by other channels than the socket: one row for each notification and channel."""

from typing import ClassVar

from django.db import models
from django.utils import timezone

from events.models import Game
from notifications.models.inbox import Notification

ERROR_MAX = 60
DETAIL_MAX = 300
HISTORY_MAX = 30
"""Tries that a row keeps, the latest; staff may retry more often."""


class State(models.TextChoices):
    """Where a delivery stands."""

    WAITING = "waiting"  # for its time
    SENDING = "sending"  # somebody is at it, until its lease ends
    SENT = "sent"
    DEAD = "dead"  # given up; staff may retry it
    CANCELLED = "cancelled"  # nobody would want it any more


OPEN = (State.WAITING, State.SENDING)


class Outlet(models.Model):
    """One channel of one game: whether it is set up, and how its other side is doing.

    The row is locked while deliveries are claimed from it, which bounds how many are under
    way at once: a dead endpoint takes no more than its share of the workers.
    """

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="outlets")
    channel = models.CharField(max_length=20)
    enabled = models.BooleanField(default=True)
    failures = models.PositiveIntegerField(default=0, help_text="Transient ones since the last success.")
    closed_until = models.DateTimeField(
        null=True, help_text="Nothing is tried before; then one probe, and all goes on when it arrives."
    )
    served = models.DateTimeField(default=timezone.now, help_text="When it last had its turn.")
    last_success = models.DateTimeField(null=True, help_text="To a few seconds.")
    last_failure = models.DateTimeField(null=True)
    last_fault = models.CharField(
        max_length=DETAIL_MAX, blank=True, default="", help_text="What the last failed try came to."
    )

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["game", "channel"], name="outlet_once")]

    def __str__(self) -> str:
        return f"{self.channel} of {self.game_id}"


class Delivery(models.Model):
    """One notification by one channel, and how often that was tried.

    There is one row for each notification and channel for ever, whatever is killed or
    repeated. References carry no constraint, as in Decision. Nothing of a player's is here:
    not in errors either.
    """

    notification = models.ForeignKey(
        Notification,
        to_field="uid",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="deliveries",
    )
    game = models.ForeignKey(
        Game, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    channel = models.CharField(max_length=20)
    state = models.CharField(max_length=9, choices=State, default=State.WAITING)
    reason = models.CharField(max_length=40, blank=True, default="", help_text="Why it was cancelled.")
    due_at = models.DateTimeField(help_text="Waiting: the next try. Sending: when the lease ends.")
    until = models.DateTimeField(help_text="No try begins later: the notification's expiry, or a day.")
    tries = models.PositiveIntegerField(default=0, help_text="Begun, since the first.")
    step = models.PositiveSmallIntegerField(default=0, help_text="Failed tries of the present schedule.")
    first_error = models.CharField(max_length=ERROR_MAX, blank=True, default="")
    error = models.CharField(
        max_length=ERROR_MAX, blank=True, default="", help_text="Of the last failed try: its class."
    )
    detail = models.CharField(max_length=DETAIL_MAX, blank=True, default="")
    history = models.JSONField(
        default=list, help_text="Tries: n, at, ended, ms; failed: detail, permanent, wait_s."
    )
    created = models.DateTimeField()
    finished = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "deliveries"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["notification", "channel"], name="delivery_once"),
        ]
        indexes: ClassVar = [
            # What is open is not finished: SQLite, too, sees that a query is about just these.
            models.Index(
                fields=["game", "channel", "due_at", "id"],
                name="delivery_due",
                condition=models.Q(finished__isnull=True),
            ),
            models.Index(
                fields=["until"], name="delivery_outlived", condition=models.Q(finished__isnull=True)
            ),
            models.Index(
                fields=["game", "channel", "error", "id"],
                name="delivery_dead",
                condition=models.Q(state="dead"),
            ),
            models.Index(
                fields=["finished"], name="delivery_finished", condition=models.Q(finished__isnull=False)
            ),
            models.Index(fields=["game", "channel", "state", "id"], name="delivery_listed"),
        ]

    def __str__(self) -> str:
        return self.idempotency_id

    @property
    def idempotency_id(self) -> str:
        """The id of every try: the notification's own, the same as in the inbox, and the channel."""
        return f"{self.notification_id}:{self.channel}"


class WebhookEndpoint(models.Model):
    """Where a game's webhooks go. The secret is derived from the salt, and stored nowhere."""

    game = models.OneToOneField(Game, on_delete=models.CASCADE, related_name="webhook")
    url = models.CharField(
        "address",
        max_length=2000,
        help_text="Takes signed POSTs by https, such as https://game.example/hooks.",
    )
    enabled = models.BooleanField(
        default=True, help_text="Off: what waits goes on waiting for a day, and nothing new is queued."
    )
    salt = models.BinaryField(max_length=32)
    former_salt = models.BinaryField(max_length=32, null=True)
    former_until = models.DateTimeField(
        null=True, help_text="So long the former secret signs beside the new."
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"webhook of {self.game}"
