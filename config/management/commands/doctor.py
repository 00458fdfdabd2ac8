"""``manage.py doctor [--url URL]``: checks a deployment from end to end, and says what to do."""

import json
from argparse import ArgumentParser
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from config.doctor import report
from config.doctor.catalogue import CHECKS
from config.doctor.check import Target
from config.doctor.running import Examined, chosen, examine


class Command(BaseCommand):
    """Exit code 1 when anything failed."""

    help = (
        "Check a deployment from end to end: settings, migrations, versions, clocks, database, Redis, broker,"
        " workers, hubs, disk, alarms; and with --url an event on its way through the API to a player's socket."
        " Each problem is followed by what to do. Exit code 1 when anything failed."
    )
    requires_system_checks: list[str] = []  # it runs them itself, and goes on when they find something

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where, what, and how to say it."""
        parser.add_argument(
            "--url", default="", help="where games and players reach it, such as https://clarion.example.com"
        )
        parser.add_argument(
            "--only", action="append", default=[], metavar="NAME",
            help="only this check or group (with what it needs); may be repeated. Groups: "
            + ", ".join(dict.fromkeys(check.group for check in CHECKS)),
        )  # fmt: skip
        parser.add_argument("--strict", action="store_true", help="exit with 1 on warnings too")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Examine, print, and exit with 1 if anything failed."""
        target = Target(services=settings.CLARION_SERVICES, url=_address(options["url"]))
        try:
            checks = chosen(CHECKS, options["only"])
        except KeyError as error:
            names = ", ".join(check.name for check in CHECKS)
            raise CommandError(f"there is no check {error}; there are: {names}") from None
        lines, done = report.Lines(), list[Examined]()
        for examined in examine(checks, target):
            done.append(examined)
            for line in () if options["json"] else lines.of(examined):
                self.stdout.write(line)
            self.stdout.flush()
        if options["json"]:
            self.stdout.write(json.dumps(report.document(done, target, strict=options["strict"])))
        else:
            self.stdout.write(f"\n{report.sentence(done)}")
        if not report.healthy(done, strict=options["strict"]):
            raise SystemExit(1)


def _address(url: str) -> str:
    """Return the root of the server's addresses."""
    parts = urlsplit(url)
    if url and (parts.scheme not in {"http", "https"} or not parts.hostname):
        raise CommandError("--url must be a web address, such as https://clarion.example.com")
    if parts.username or parts.password:
        raise CommandError("--url must not hold a user or a password: the doctor makes a key of its own")
    return f"{parts.scheme}://{parts.netloc}" if url else ""
