"""Making the demo game: types, rules, players, its game server's key. Safe to repeat."""

import orjson
from django.conf import settings
from django.db import transaction

from config.demo.catalogue import PLAYERS, TYPES, DemoPlayer, DemoType
from config.demo.opening import SLUG
from events import keys, log
from events.lanes import Lane
from events.models import ApiKey, EventType, Game
from events.tenancy import create_game
from notifications import rulebook
from notifications.models import Rule, RuleTemplate

SOURCE = "clarion:demo"
KEY_NAME = "demo game server"


def install(slug: str = SLUG) -> Game:
    """Make what is missing of the demo in a game; what staff have changed stays as they left it.

    Only the game ``demo`` gets the demo's key, since its page and its game server are the
    only ones that use it. Another game gets types, rules and players, such as for load tests.

    Raises:
        events.errors.LogUnavailable: the players' profiles could not be appended; repeat it.
    """
    game = Game.objects.filter(slug=slug).first() or create_game(slug, name=slug.capitalize())
    for kind in TYPES:
        _install_type(game, kind)
    rulebook.ensure_direct(game.pk)
    for player in PLAYERS:
        _introduce(game, player)
    if slug == SLUG:
        _install_key(game)
    return game


@transaction.atomic
def _install_type(game: Game, kind: DemoType) -> None:
    EventType.objects.get_or_create(
        game=game,
        name=kind.name,
        defaults={
            "lane": kind.lane,
            "schema": kind.schema,
            "sample": kind.sample,
            "description": kind.description,
        },
    )
    rule, made = Rule.objects.get_or_create(
        game=game,
        slug=kind.rule_slug,
        defaults={
            "description": kind.description,
            "event_type": kind.name,
            "condition": kind.condition,
            "audience_path": kind.audience_path,
            "notification_class": kind.notification_class,
            "category": kind.category,
            "ttl_s": kind.ttl_s,
        },
    )
    if made:
        RuleTemplate.objects.bulk_create(
            RuleTemplate(rule=rule, locale=locale, title=title, body=body)
            for locale, (title, body) in kind.words.items()
        )
    if rule.revision_id is None:
        rulebook.save_revision(rule)


def _introduce(game: Game, player: DemoPlayer) -> None:
    """Append the player's profile once and for all: a repeat is a duplicate, later changes stand."""
    data = {
        "player_id": player.key,
        "locale": player.locale,
        "timezone": player.timezone,
        "display_name": player.name,
    }
    log.append_own(
        game_id=game.pk,
        event_id=f"introduce:{player.key}",
        source=SOURCE,
        type="player.updated",
        stream=player.key,
        data=orjson.dumps(data).decode(),
        lane=Lane.URGENT,
    )


def _install_key(game: Game) -> None:
    """Make the key of the demo's game server; one that staff have revoked stays revoked."""
    secret = settings.CLARION_DEMO_KEY
    if secret and not ApiKey.objects.filter(digest=keys.digest_of(secret)).exists():
        keys.issue(game, KEY_NAME, {"events:write"}, secret=secret)
