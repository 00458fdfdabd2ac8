"""Games (the tenants), their API keys and their event types."""

from typing import ClassVar

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from events.lanes import Lane
from events.limits import Limit, Limits

DEFAULT_PARTITIONS = 8
DEFAULT_EVENTS_A_MINUTE = 600_000


def _lag(default: int | None, what: str) -> "models.PositiveIntegerField[int | None, int | None]":
    """Return the column of one limit; empty is none."""
    return models.PositiveIntegerField(
        null=True, blank=True, default=default, validators=[MinValueValidator(1)], help_text=what
    )


class Game(models.Model):
    """A tenant: its own log, players, rules and keys."""

    slug = models.SlugField(
        max_length=64, unique=True, help_text="The game's name in URLs, tokens and commands."
    )
    name = models.CharField(max_length=120)
    strict = models.BooleanField(
        default=False,
        help_text="Refuse events whose type is not listed. Otherwise they are accepted in the normal lane.",
    )
    partitions = models.PositiveSmallIntegerField(
        default=DEFAULT_PARTITIONS,
        editable=False,
        validators=[MinValueValidator(1), MaxValueValidator(256)],
        help_text="Into how many partitions the log is cut. Fixed when the game is made.",
    )
    allowed_origins = models.JSONField(
        default=list,
        blank=True,
        help_text='Web origins from which players\' pages may connect, such as ["https://play.example"]. '
        'An empty list allows only clients that send no Origin; ["*"] allows every origin.',
    )
    epoch = models.PositiveIntegerField(
        default=1,
        editable=False,
        help_text="Names the numbering of players' changes. A restore renews it, and clients start over.",
    )
    announcements = models.PositiveBigIntegerField(
        default=0,
        editable=False,
        help_text="The game's announcement sequence: raised by one for each that is put, updated or ended.",
    )
    urgent_lag_events = _lag(1_000_000, "Urgent events are refused when more urgent ones wait.")
    urgent_lag_age_s = _lag(None, "Seconds. Or when an urgent one waits for longer.")
    normal_lag_events = _lag(500_000, "Normal events are refused when more urgent and normal ones wait.")
    normal_lag_age_s = _lag(3_600, "Seconds. Or when one of these waits for longer.")
    bulk_lag_events = _lag(200_000, "Bulk events are refused when more events wait, of all lanes.")
    bulk_lag_age_s = _lag(900, "Seconds. Or when any waits for longer.")
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["slug"]

    def __str__(self) -> str:
        return self.slug

    @property
    def limits(self) -> Limits:
        """How far behind is too far, by lane."""
        return [
            Limit(
                events=getattr(self, f"{lane.label}_lag_events"),
                age_s=getattr(self, f"{lane.label}_lag_age_s"),
            )
            for lane in Lane
        ]

    @property
    def epoch_name(self) -> str:
        """The epoch as clients see it, such as ``e1``."""
        return f"e{self.epoch}"


class EventType(models.Model):
    """What staff know of a type of event: its lane, its schema, an example."""

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="event_types")
    name = models.CharField(
        max_length=255, help_text="Dotted and in the past tense, such as guild.invite.received."
    )
    lane = models.PositiveSmallIntegerField(
        choices=Lane, default=Lane.NORMAL, help_text="A change moves only events that come later."
    )
    schema = models.JSONField(
        null=True,
        blank=True,
        help_text="JSON Schema (2020-12) that data must satisfy. Empty accepts any data.",
    )
    description = models.TextField(blank=True, default="")
    sample = models.JSONField(
        null=True, blank=True, help_text="Example data. Rules are checked and previewed against it."
    )
    created = models.DateTimeField(auto_now_add=True)
    updated = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["game", "name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["game", "name"], name="event_type_once")]

    def __str__(self) -> str:
        return self.name


class RefusedLane(models.Model):
    """A lane of a game that is refused at the moment; the row goes when that ends."""

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="refused_lanes")
    lane = models.PositiveSmallIntegerField(choices=Lane)
    since = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["game", "lane"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["game", "lane"], name="refused_lane_once")]

    def __str__(self) -> str:
        return f"{self.game_id} {self.get_lane_display()}"


class ApiKey(models.Model):
    """A game server's key. Only a hash is kept; the secret is shown once, when it is made."""

    game = models.ForeignKey(Game, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=120, help_text="Who uses it, such as match-server.")
    prefix = models.CharField(
        max_length=16, editable=False, help_text="The first characters, to recognise it by."
    )
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    rate_limit = models.PositiveIntegerField(
        null=True,
        blank=True,
        default=DEFAULT_EVENTS_A_MINUTE,
        help_text="Events (or calls) a minute. Empty means no limit.",
    )
    expires = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, blank=True, editable=False)
    revoked = models.DateTimeField(null=True, blank=True, editable=False)
    created = models.DateTimeField(auto_now_add=True)

    class Meta:
        verbose_name = "API key"
        ordering: ClassVar = ["game", "name"]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"


class IdempotencyKey(models.Model):
    """The stored answer to a POST that carried an ``Idempotency-Key``; kept for 24 hours."""

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"

    api_key = models.ForeignKey(ApiKey, on_delete=models.CASCADE)
    route = models.CharField(max_length=200)
    token = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of the request's body.")
    status = models.CharField(max_length=8, choices=Status, default=Status.RUNNING)
    response_status = models.PositiveSmallIntegerField(null=True)
    response_body = models.TextField(blank=True, default="")
    created = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["api_key", "route", "token"], name="idempotency_key_once")
        ]
        indexes: ClassVar = [models.Index(fields=["created"], name="idempotency_created")]

    def __str__(self) -> str:
        return f"{self.route} {self.status}"
