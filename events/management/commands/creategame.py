"""``manage.py creategame SLUG``."""

from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from events.models import Game
from events.models.games import DEFAULT_PARTITIONS
from events.tenancy import create_game


class Command(BaseCommand):
    """Makes a game with its partitions."""

    help = "Make a game. Its partitions are fixed from then on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the slug and what cannot be changed later."""
        parser.add_argument("slug")
        parser.add_argument("--name", default="")
        parser.add_argument(
            "--partitions", type=int, default=DEFAULT_PARTITIONS, help="1 to 256, fixed for ever"
        )
        parser.add_argument("--strict", action="store_true", help="refuse events of unlisted types")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Make it, unless it is there."""
        slug, partitions = options["slug"], options["partitions"]
        try:
            Game._meta.get_field("slug").clean(slug, None)
            Game._meta.get_field("name").run_validators(options["name"])
        except ValidationError as error:
            raise CommandError(f"{slug!r} is not possible: {' '.join(error.messages)}") from error
        if not 1 <= partitions <= 256:  # noqa: PLR2004 - the model's bound
            raise CommandError(f"--partitions {partitions}: 1 to 256 are possible")
        if Game.objects.filter(slug=slug).exists():
            raise CommandError(f"there is a game {slug} already")
        create_game(slug, name=options["name"], partitions=partitions, strict=options["strict"])
        self.stderr.write(
            f"made game {slug} with {partitions} partitions; next: manage.py apikey {slug} --name NAME"
        )
