"""Making the demo game: types, rules, its game server's key. Safe to repeat."""

from django.conf import settings
from django.db import transaction

from config.demo.catalogue import TYPES, DemoType
from events import keys
from events.models import ApiKey, EventType, Game
from events.tenancy import create_game
from notifications import rulebook
from notifications.models import Rule, RuleTemplate

SLUG = "demo"


def install() -> Game:
    """Make what is missing of the demo; what staff have changed stays as they left it."""
    game = Game.objects.filter(slug=SLUG).first() or create_game(SLUG, name="Demo")
    for kind in TYPES:
        _install_type(game, kind)
    rulebook.ensure_direct(game.pk)
    digest = keys.digest_of(settings.CLARION_DEMO_KEY)
    if settings.CLARION_DEMO_KEY and not ApiKey.objects.filter(digest=digest).exists():
        keys.issue(game, "demo game server", secret=settings.CLARION_DEMO_KEY)
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
