"""The doctor's game: made when first needed, used again by every run, never seen by players of other games.

Players' rows are for ever (processes remember their ids), and so is the log; so a game is kept
rather than removed. Its slug is none that a command, a form or an API key of others could name.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from django.db import transaction

from events import heartbeats, keys
from events.lanes import Lane
from events.models import ApiKey, EventType, Game, Heartbeat, Retention
from events.tenancy import RESERVED, create_game
from notifications import rulebook
from notifications.models import Rule, RuleTemplate
from notifications.models.rules import NotificationClass
from players.models import Player

SLUG = f"{RESERVED}doctor"
TYPE = "doctor.asked"
RULE = "doctor"
PLAYER = "doctor"
SCOPES = ("events:write", "tokens:issue")
TTL_S = 30
KEEP_DAYS = 7
KEY_LIVES = timedelta(minutes=2)
TURN = "doctor.turn"
TURN_LIVES = timedelta(seconds=60)
"""Longer than any run takes: one that was killed keeps others waiting for no longer than this."""


class Busy(Exception):
    """Another doctor asks at this moment."""


@contextmanager
def turn() -> Iterator[None]:
    """Keep other doctors out meanwhile: they would take each other's key and socket.

    Raises:
        Busy: there is one.
    """
    if not heartbeats.take_turn(TURN, TURN_LIVES, datetime.now(UTC)):
        raise Busy
    try:
        yield
    finally:
        Heartbeat.objects.filter(name=TURN).delete()


def install() -> Game:
    """Make what is missing of the game, its type and its rule; return the game."""
    game = Game.objects.filter(slug=SLUG).first() or create_game(SLUG, name="Clarion's doctor", partitions=1)
    with transaction.atomic():
        EventType.objects.update_or_create(
            game=game,
            name=TYPE,
            defaults={"lane": Lane.URGENT, "description": "manage.py doctor follows one on its way."},
        )
        rule, _ = Rule.objects.update_or_create(
            game=game,
            slug=RULE,
            defaults={
                "enabled": True,
                "event_type": TYPE,
                "notification_class": NotificationClass.LIVE,
                "ttl_s": TTL_S,
                "description": "Tells the doctor's own player.",
            },
        )
        RuleTemplate.objects.update_or_create(
            rule=rule, locale="en", defaults={"title": "{{ data.question }}"}
        )
        Retention.objects.update_or_create(
            game=game,
            defaults={"payload_days": KEEP_DAYS, "notification_days": KEEP_DAYS, "decision_days": KEEP_DAYS},
        )
        rulebook.save_revision(rule)
    return game


@contextmanager
def key(game: Game) -> Iterator[str]:
    """Return the secret of an API key that is valid meanwhile; one row, used again by every run."""
    row = ApiKey.objects.filter(game=game).first() or ApiKey(game=game, name="doctor")
    secret = keys.mint(row)
    row.scopes, row.revoked, row.expires = sorted(SCOPES), None, datetime.now(UTC) + KEY_LIVES
    row.save()
    try:
        yield secret
    finally:
        keys.revoke(ApiKey.objects.filter(game=game))


def player_id(game: Game) -> int | None:
    """Return the id of the doctor's player, once there is one."""
    return Player.objects.filter(game=game, key=PLAYER).values_list("id", flat=True).first()


def event_data(question: str, by: str) -> dict[str, str]:
    """Return what an event says: whom it concerns, what is recognised, and who asked."""
    return {"player_id": PLAYER, "question": question, "by": by}
