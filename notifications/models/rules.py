"""What live-ops staff edit: rules, their templates, and each state they have been in."""

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from events.models import Game
from events.models.append_only import AppendOnlyModel


class NotificationClass(models.TextChoices):
    """What kind of thing a player gets. Rewards and announcements have their own roads."""

    INBOX = "inbox", "inbox: kept until it is archived or expires"
    LIVE = "live", "live: shown for seconds, never in the inbox"


class AudienceKind(models.TextChoices):
    """Where a rule finds its players."""

    PATH = "path", "a path in the event's data"
    PLAYERS = "players", "these players"


class Rule(models.Model):
    """One type of event, whom it concerns and what they are told."""

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="rules")
    slug = models.SlugField(max_length=80, help_text="Its lasting name, shown in decisions.")
    description = models.TextField(blank=True, default="")
    enabled = models.BooleanField(default=True)
    builtin = models.BooleanField(
        default=False, editable=False, help_text="Clarion's own, such as for direct posts."
    )
    event_type = models.CharField(max_length=255)
    condition = models.TextField(
        blank=True,
        default="",
        help_text='CEL, such as data.level >= 10 && event.source != "bot". Empty is always true.',
    )
    audience_kind = models.CharField(max_length=8, choices=AudienceKind, default=AudienceKind.PATH)
    audience_path = models.CharField(max_length=255, blank=True, default="data.player_id")
    audience_players = models.JSONField(
        default=list, blank=True, help_text='Players\' ids, such as ["p1", "p2"].'
    )
    notification_class = models.CharField(
        max_length=8, choices=NotificationClass, default=NotificationClass.INBOX
    )
    category = models.SlugField(max_length=40, default="general")
    ttl_s = models.PositiveIntegerField(
        null=True, blank=True, help_text="Seconds from the event until it is no longer shown. Live needs it."
    )
    default_locale = models.CharField(max_length=35, default="en")
    channels = models.JSONField(
        default=list, blank=True, help_text="By which other channels it is brought as well."
    )
    revision = models.ForeignKey(
        "RuleRevision", on_delete=models.PROTECT, null=True, editable=False, related_name="+"
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["game", "slug"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["game", "slug"], name="rule_once")]
        indexes: ClassVar = [models.Index(fields=["game", "event_type"], name="rule_by_type")]

    def __str__(self) -> str:
        return self.slug


class RuleTemplate(models.Model):
    """A rule's words in one locale, in Liquid."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="templates")
    locale = models.CharField(max_length=35, default="en", help_text="BCP 47, such as en or pt-BR.")
    title = models.CharField(max_length=500)
    body = models.TextField(blank=True, default="", max_length=8000)

    class Meta:
        ordering: ClassVar = ["rule", "locale"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rule", "locale"], name="rule_template_once")
        ]

    def __str__(self) -> str:
        return self.locale


class RuleRevision(AppendOnlyModel):
    """A rule as it was from one save to the next: what decisions name. Never changed."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField(help_text="From 1.")
    definition = models.JSONField(help_text="All that deciding needs, as the engine reads it.")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering: ClassVar = ["rule", "-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rule", "number"], name="rule_revision_once")
        ]

    def __str__(self) -> str:
        return f"{self.rule_id} r{self.number}"
