"""Sets the stage, in whichever environment it runs: a game, its types and rules, an API key on stdout.

``python -m tests.storm.stage``
"""

import os

import django

GAME = "storm"


def main() -> None:
    """Make it all, and print the key."""
    from events import keys  # noqa: PLC0415 - Django's apps must be loaded
    from events.lanes import Lane  # noqa: PLC0415 - as above
    from events.models import EventType  # noqa: PLC0415 - as above
    from events.tenancy import create_game  # noqa: PLC0415 - as above
    from notifications import rulebook  # noqa: PLC0415 - as above
    from notifications.models import Rule, RuleTemplate  # noqa: PLC0415 - as above
    from tests.storm.plan import LANES, RULES  # noqa: PLC0415 - as above

    game = create_game(GAME)
    for name, lane in LANES.items():
        EventType.objects.create(game=game, name=name, lane=Lane[lane.upper()])
    for each in RULES:
        rule = Rule.objects.create(
            game=game,
            slug=each.slug,
            event_type=each.event_type,
            condition=each.condition,
            audience_path=each.audience_path,
            notification_class=each.notification_class,
            ttl_s=each.ttl_s,
        )
        RuleTemplate.objects.create(rule=rule, locale="en", title=f"{each.slug} {{{{ data.n }}}}")
        rulebook.save_revision(rule)
    print(keys.issue(game, "storm"))  # noqa: T201 - the key is what it is asked for


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    main()
