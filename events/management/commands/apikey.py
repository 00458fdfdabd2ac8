"""``manage.py apikey GAME --name NAME``: the secret alone on stdout, once."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from events import keys
from events.errors import UnknownGame
from events.models import ApiKey, Game


class Command(BaseCommand):
    """Makes an API key."""

    help = "Make an API key and print its secret, which cannot be read again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the game, the key's name and its scopes."""
        parser.add_argument("game")
        parser.add_argument("--name", required=True, help="who uses it, such as match-server")
        parser.add_argument("--scopes", nargs="+", default=sorted(keys.SCOPES), help="default: all")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Make it."""
        game = Game.objects.filter(slug=options["game"]).first()
        if game is None:
            raise CommandError(str(UnknownGame(options["game"])))
        try:
            ApiKey._meta.get_field("name").run_validators(options["name"])
            secret = keys.issue(game, options["name"], options["scopes"])
        except ValidationError as error:
            raise CommandError(f"--name: {' '.join(error.messages)}") from error
        except ValueError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(secret)
        self.stderr.write(f"key {options['name']} of {game.slug}: keep the line above, it is shown only now")
