"""``manage.py loadtest``: drives a running Clarion and says what arrived, when, and how often."""

import asyncio
import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.loadtest.drive import LoadTestFailed, drive
from config.loadtest.plan import Plan
from config.loadtest.tally import Result

MODES = "--rate R --seconds S (one by one), or --events N --batch B (as fast as it goes)"


class Command(BaseCommand):
    """Exit code 1 if anything was lost, doubled or out of order."""

    help = f"Drive a running Clarion: {MODES}. Each event goes to one of the players."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take where, who, and how much."""
        parser.add_argument("--url", required=True, help="such as http://127.0.0.1:8000")
        parser.add_argument("--game", required=True, help="slug of a game that has the demo's rules")
        parser.add_argument("--key", required=True, help="API key with events:write and tokens:issue")
        parser.add_argument("--players", type=int, default=200)
        parser.add_argument("--rate", type=float, help="events a second, posted one by one")
        parser.add_argument("--seconds", type=float, help="for so long")
        parser.add_argument("--events", type=int, help="so many events in all")
        parser.add_argument("--batch", type=int, default=200, help="events in one post")
        parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Run the plan and print the figures."""
        plan = _plan(options)
        try:
            result = asyncio.run(drive(plan))
        except LoadTestFailed as error:
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(asdict(result)) if options["json"] else _table(plan, result))
        if not result.kept:
            raise SystemExit(1)


def _plan(options: dict[str, Any]) -> Plan:
    shared = {
        "url": options["url"],
        "game": options["game"],
        "key": options["key"],
        "players": options["players"],
    }
    for name in ("players", "batch", "rate", "seconds", "events"):
        if options[name] is not None and options[name] <= 0:
            raise CommandError(f"--{name} must be more than 0")
    if options["rate"] and options["seconds"] and not options["events"]:
        events = max(1, round(options["rate"] * options["seconds"]))
        return Plan(**shared, rate=options["rate"], events=events)
    if options["events"] and not options["rate"] and not options["seconds"]:
        return Plan(**shared, events=options["events"], batch=options["batch"])
    raise CommandError(f"give either {MODES}")


def _table(plan: Plan, result: Result) -> str:
    return "\n".join(
        [
            f"{plan.events} events to {plan.players} players of {plan.game}",
            f"  accepted   {result.accepted_per_s:>10} a second",
            f"  delivered  {result.delivered_per_s:>10} a second",
            f"  latency    p50 {result.p50_ms} ms, p95 {result.p95_ms} ms, p99 {result.p99_ms} ms,"
            f" mean {result.mean_ms} ms from post to socket",
            f"  lost {result.lost}, doubled {result.doubled}, out of order {result.out_of_order}",
        ]
    )
