"""``manage.py exportlog GAME``: the log to files, by hand. Nothing is erased for it."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.errors import EventsError
from events.export import files, storing
from events.models import Partition


class Command(BaseCommand):
    """Write a game's log, or a part of it, to compressed files with manifests."""

    help = "Write a game's log to compressed files of CloudEvents that prove themselves."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the part and where to."""
        parser.add_argument("game", help="its name")
        parser.add_argument("--partition", type=int, help="only this one, by its number")
        parser.add_argument("--from", dest="first", type=int, default=1, help="the first offset")
        parser.add_argument("--to", dest="last", type=int, help="the last offset")
        parser.add_argument("--out", help="a folder; otherwise where CLARION_EXPORT says")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line for each file."""
        found = Partition.objects.filter(game__slug=options["game"]).select_related("game")
        if options["partition"] is not None:
            found = found.filter(number=options["partition"])
        if not found:
            raise CommandError(f"there is no game {options['game']!r} with such a partition")
        try:
            storage = storing.folder(options["out"]) if options["out"] else storing.storage()
            for partition in found.order_by("number"):
                last = min(options["last"] or partition.head, partition.head)
                self._partition(storage, partition, max(1, options["first"]), last)
        except EventsError as error:
            raise CommandError(str(error)) from error

    def _partition(self, storage: Any, partition: Partition, first: int, last: int) -> None:
        while first <= last:
            manifest = files.write(storage, partition, files.Span(first=first, last=last))
            if manifest is None:
                return
            self.stdout.write(f"{manifest.name}: {manifest.count} events, {manifest.size:,} bytes")
            first = manifest.last + 1
