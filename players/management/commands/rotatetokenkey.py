"""``manage.py rotatetokenkey GAME``: a new key signs players' tokens from now on."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events.errors import UnknownGame
from events.models import Game
from players import tokens


class Command(BaseCommand):
    """Rotates the key that signs a game's tokens."""

    help = "Make a new key that signs a game's tokens. Tokens of the old ones stay valid until they expire."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the game."""
        parser.add_argument("game")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Rotate."""
        game = Game.objects.filter(slug=options["game"]).first()
        if game is None:
            raise CommandError(str(UnknownGame(options["game"])))
        key = tokens.rotate(game)
        self.stdout.write(key.kid)
        self.stderr.write(
            "signs from now on; older keys retire by themselves once their last token has expired"
        )
