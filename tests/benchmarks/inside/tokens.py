"""Prints tokens for so many players, one on each line: over HTTP ten thousand would take a minute."""

import json
import sys

import django

django.setup()

from events.models import Game  # noqa: E402 - apps have to be loaded
from players import known, tokens  # noqa: E402


def main() -> None:
    wanted = json.loads(sys.argv[1])
    game = Game.objects.get(slug=wanted["game"])
    players = [f"idle-{n}" for n in range(wanted["players"])]
    known.ensure(game.pk, players)
    for player in players:
        sys.stdout.write(tokens.issue(game, player)[0] + "\n")


if __name__ == "__main__":
    main()
