"""Sets the stage, in whichever environment it runs: a game with a webhook and a rule that uses it.

``python -m tests.notifications.delivery.stage URL`` prints an API key and the webhook's secret as JSON.
"""

import json
import os
import sys

import django

GAME = "deliveries"
LEVEL = "level.reached"


def main(url: str) -> None:
    """Make it all, and print what a game server and a receiver need."""
    from events import keys  # noqa: PLC0415 - Django's apps must be loaded
    from events.tenancy import create_game  # noqa: PLC0415 - as above
    from notifications import rulebook  # noqa: PLC0415 - as above
    from notifications.delivery import endpoints  # noqa: PLC0415 - as above
    from notifications.models import Rule, RuleTemplate, WebhookEndpoint  # noqa: PLC0415 - as above

    game = create_game(GAME)
    secret = endpoints.save(WebhookEndpoint(game=game, url=url), "olive")
    rule = Rule.objects.create(game=game, slug="level", event_type=LEVEL, channels=["webhook"])
    RuleTemplate.objects.create(rule=rule, locale="en", title="Level {{ data.level }}!")
    rulebook.save_revision(rule)
    print(json.dumps({"key": keys.issue(game, "server"), "secret": secret}))  # noqa: T201 - it was asked for


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    main(sys.argv[1])
