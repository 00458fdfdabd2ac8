"""``manage.py verifyexport FILE``: proves that an exported file says what the log said."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from events.errors import EventsError
from events.export import files


class Command(BaseCommand):
    """Prove exported files by the chain in them, and by their manifests where these lie beside them."""

    help = "Prove exported files by the digests in them. Needs no database."
    requires_system_checks: Any = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Take files."""
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Print a line for each file; stop at the first that is broken."""
        for path in options["files"]:
            beside = path.with_name(path.name + files.MANIFEST)
            try:
                manifest = files.manifest_of(beside.read_bytes()) if beside.exists() else None
                with path.open("rb") as file:
                    count = files.verify(file, manifest)
            except (EventsError, OSError) as error:
                raise CommandError(f"{path}: {error}") from error
            said = "as its manifest says" if manifest else "without a manifest"
            self.stdout.write(f"{path}: {count} events, whole, {said}")
