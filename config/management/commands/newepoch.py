"""``manage.py newepoch [GAME ...] --reason TEXT``: clients start over, after a restore that does not show by itself."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.operator import operator
from events import lineage
from events.errors import UnknownGame
from events.models import Game


class Command(BaseCommand):
    """Renews epochs; may be repeated."""

    help = (
        "Begin the numbering of players' changes anew, so that every client loads its inbox again. Run it after"
        " restoring a dump into the database where it came from, a snapshot of a volume, or on a PostgreSQL that"
        " does not tell its system id and timeline. A failover, and a dump restored elsewhere, are noticed without it."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take games, and why."""
        parser.add_argument("games", nargs="*", metavar="GAME", help="slugs; default: every game")
        parser.add_argument("--reason", required=True, help="goes into the log: restored the dump of 03:00")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Renew, and say what it came to."""
        games = {game.slug: game for game in Game.objects.order_by("slug")}
        for slug in options["games"]:
            if slug not in games:
                raise CommandError(str(UnknownGame(slug)))
        chosen = [games[slug] for slug in options["games"] or games]
        lineage.renew(chosen, operator(), options["reason"])
        for game in Game.objects.filter(pk__in=[each.pk for each in chosen]).order_by("slug"):
            self.stdout.write(
                f"{game.slug} has the epoch {game.epoch_name}; its clients start over within seconds"
            )
