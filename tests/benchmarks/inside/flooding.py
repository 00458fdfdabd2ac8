"""Appends events for players and decides all of them: what a gateway then has to push."""

import json
import sys

import django

django.setup()

from events import log  # noqa: E402 - apps have to be loaded
from events.hubs.run import run  # noqa: E402
from events.lanes import Lane  # noqa: E402
from events.models import Game  # noqa: E402
from tests.benchmarks.inside.entries import batches, entries  # noqa: E402


def main() -> None:
    wanted = json.loads(sys.argv[1])
    game_id = Game.objects.get(slug=wanted["game"]).pk
    for some in batches(entries(wanted["events"], players=wanted["players"]), 500):
        log.append(game_id, some)
    while run("decisions", Lane.NORMAL, 60.0):
        pass


if __name__ == "__main__":
    main()
