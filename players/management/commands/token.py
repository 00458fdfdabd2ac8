"""``manage.py token GAME PLAYER``: the token alone on stdout."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from events.envelope.attributes import player_problem
from events.errors import UnknownGame
from events.models import Game
from players import tokens
from players.admission import admitted
from players.errors import PlayerRefused


class Command(BaseCommand):
    """Issues a player's token."""

    help = "Issue a token for a player, who is made if unknown, and print it alone on stdout."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the game, the player and the time to live."""
        parser.add_argument("game")
        parser.add_argument("player")
        parser.add_argument(
            "--ttl", type=int, default=tokens.TTL_S, help="seconds, 60 to 86400; default 3600"
        )

    def handle(self, *_args: Any, **options: Any) -> None:
        """Issue it."""
        game = Game.objects.filter(slug=options["game"]).first()
        if game is None:
            raise CommandError(str(UnknownGame(options["game"])))
        if problem := player_problem(options["player"]):
            raise CommandError(f"the player's id {problem}")
        try:
            admitted(game.pk, options["player"])
            token, expires = tokens.issue(game, options["player"], options["ttl"])
        except (PlayerRefused, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(token)
        self.stderr.write(f"valid until {expires:%Y-%m-%d %H:%M:%S} UTC")
