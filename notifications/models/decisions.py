"""The stored outcome of every rule for every event and player, and audiences still being worked off."""

from typing import ClassVar

from django.db import models

from events.models import Event, Game, Replay
from notifications.models.rules import Rule, RuleRevision
from players.models import Player


class Outcome(models.TextChoices):
    """What a decision came to."""

    SENT = "sent"
    DEFERRED = "deferred"
    DIGESTED = "digested"
    SUPPRESSED = "suppressed"
    FAILED = "failed"


class Decision(models.Model):
    """One rule, one event, one player: what came of it, and which gate compared which values.

    References carry no database constraint: each would lock a row of another table for
    every decision, and none of those rows is ever deleted while decisions are kept.
    """

    game = models.ForeignKey(
        Game, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    rule = models.ForeignKey(
        Rule, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="decisions"
    )
    revision = models.ForeignKey(
        RuleRevision, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    event = models.ForeignKey(
        Event, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="decisions"
    )
    player = models.ForeignKey(
        Player,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="decided",
        help_text="Empty where the rule failed before a player was known.",
    )
    player_key = models.CharField(
        max_length=128, blank=True, help_text="The player's id in the game, or empty."
    )
    outcome = models.CharField(max_length=10, choices=Outcome)
    gates = models.JSONField(help_text="Each gate with what it compared, in order.")
    notification_uid = models.UUIDField(null=True, help_text="What the player got.")
    place = models.PositiveBigIntegerField(null=True, help_text="Place among the player's decisions, from 1.")
    profile_revision = models.PositiveBigIntegerField(default=0)
    now = models.DateTimeField(help_text="The time that the gates compared with.")
    replay = models.ForeignKey(
        Replay,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        help_text="Which replay has decided it, late; empty for live.",
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "rule", "player_key"], name="decision_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["player", "place"], name="decision_by_player"),
            # For the console's lists: the newest of a game, and of a rule by outcome.
            models.Index(fields=["game", "now", "id"], name="decision_by_time"),
            models.Index(fields=["rule", "outcome", "now", "id"], name="decision_by_rule"),
            models.Index(
                fields=["replay", "now", "id"],
                name="decision_by_replay",
                condition=models.Q(replay__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.outcome} for {self.player_key or 'nobody'}"


class FanOut(models.Model):
    """An audience too large for one batch, worked off page by page in the bulk lane."""

    game = models.ForeignKey(Game, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    revision = models.ForeignKey(
        RuleRevision, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    event = models.ForeignKey(Event, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+")
    now = models.DateTimeField(help_text="The time that all its decisions compare with, expiry excepted.")
    total = models.PositiveIntegerField(help_text="Players in the audience.")
    cursor = models.PositiveIntegerField(default=0, help_text="Players worked off so far.")
    stopped_at = models.PositiveIntegerField(
        null=True, help_text="The watermark of a stop: none beyond it are told."
    )
    created = models.DateTimeField()
    finished = models.DateTimeField(null=True)
    replay = models.ForeignKey(
        Replay,
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        null=True,
        related_name="+",
        help_text="Which replay has found it, late; empty for live.",
    )

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["event", "revision"], name="fan_out_once"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="fan_out_waiting", condition=models.Q(finished__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.cursor}/{self.total}"
