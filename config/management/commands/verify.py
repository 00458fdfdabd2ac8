"""``manage.py verify [GAME ...] [--partition N] [--json]``: proves the promises of games on their data."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from config.verifying import Proof, prove
from events.errors import UnknownGame
from events.models import Game, Partition


class Command(BaseCommand):
    """Reads only; exit code 1 when anything is found."""

    help = (
        "Prove the promises of games on their data: the chain of the log, versions, offsets, heads, witnesses,"
        " checkpoints, one decision per rule, event and player, numbers, sequences, counters. Reads only, while"
        " all goes on. Exit code 1 when anything is wrong."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take games, and how to say it."""
        parser.add_argument("games", nargs="*", metavar="GAME", help="slugs; default: every game")
        parser.add_argument(
            "--partition", type=int, metavar="N", help="only what lies in this partition, from 0"
        )
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *_args: Any, **options: Any) -> None:
        """Prove, print, and exit with 1 if anything was found."""
        tell = self.stderr.write if options["verbosity"] > 1 else lambda _: None
        try:
            proofs = [prove(game, options["partition"], tell) for game in _games(options["games"])]
        except Partition.DoesNotExist:
            raise CommandError(f"there is no partition {options['partition']}") from None
        if options["json"]:
            self.stdout.write(
                json.dumps(
                    {"found": sum(each.found for each in proofs), "games": [asdict(each) for each in proofs]}
                )
            )
        else:
            for proof in proofs:
                self._print(proof)
        if any(proof.found for proof in proofs):
            raise SystemExit(1)

    def _print(self, proof: Proof) -> None:
        for finding in proof.findings:
            self.stdout.write(f"{proof.game}: {finding}")
        for check, remedy in proof.remedies.items():
            self.stdout.write(f"{proof.game}: what to do about {check}: {remedy}")
        self.stdout.write(f"{proof.game}: {proof.events} events, {proof.found or 'no'} findings")


def _games(slugs: list[str]) -> list[Game]:
    if not slugs:
        return list(Game.objects.order_by("slug"))
    known = {game.slug: game for game in Game.objects.filter(slug__in=slugs)}
    for slug in slugs:
        if slug not in known:
            raise CommandError(str(UnknownGame(slug)))
    return [known[slug] for slug in dict.fromkeys(slugs)]
