"""``manage.py installdemo [GAME]``: the demo's types, rules and players, for services and load tests."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_slug

from config.demo.install import install
from config.demo.opening import SLUG
from events.errors import LogUnavailable

ABOUT = f"""Make the demo's event types, rules and players in a game; the game is made when missing.

Whatever staff have changed since stays as they left it. `manage.py up` does this by itself;
on services it is for load tests and for showing the demo:

  a load test    manage.py installdemo loadtest
                 manage.py apikey loadtest --name loadtest
                 manage.py loadtest --url U --game loadtest --key K --rate 50 --seconds 30
  the demo page  set CLARION_DEMO=1 and CLARION_DEMO_KEY, then: manage.py installdemo

Only with CLARION_DEMO=1 does /play/ exist on services: it hands out tokens of the demo's
players in the game `{SLUG}` to whoever asks."""


class Command(BaseCommand):
    """May be repeated."""

    help = ABOUT

    def create_parser(self, prog_name: str, subcommand: str, **options: Any) -> Any:
        """Keep the lines of the help as they are."""
        parser = super().create_parser(prog_name, subcommand, **options)
        parser.formatter_class = RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the game."""
        parser.add_argument("game", nargs="?", default=SLUG, help=f"slug of a game; default: {SLUG}")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Install, and say what comes next."""
        slug = options["game"]
        try:
            validate_slug(slug)
            install(slug)
        except ValidationError as error:
            raise CommandError(f"{slug!r} is no slug: letters, digits, - and _ only") from error
        except LogUnavailable as error:
            raise CommandError(f"{error}; run it again") from error
        self.stderr.write(f"game {slug} has the demo's types, rules and players; {_next(slug)}")


def _next(slug: str) -> str:
    if slug != SLUG:
        return f"next: manage.py apikey {slug} --name NAME"
    if settings.CLARION_DEMO:
        return "its page is /play/"
    return "its page stays closed: /play/ needs CLARION_DEMO=1"
