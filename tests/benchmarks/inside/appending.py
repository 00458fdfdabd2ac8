"""``log.append`` in batches and one by one, and the bare COPY beside it."""

import json
import sys
import threading
import time

import django

django.setup()

from events import log  # noqa: E402 - apps have to be loaded
from events.models import Game  # noqa: E402
from tests.benchmarks.inside import copying  # noqa: E402
from tests.benchmarks.inside.entries import batches, entries  # noqa: E402

BATCH = 500
THREADS = 64


def append_per_second(game_id: int, count: int) -> float:
    made = list(batches(entries(count), BATCH))
    began = time.perf_counter()
    for some in made:
        log.append(game_id, some)
    return count / (time.perf_counter() - began)


def singles_per_second(game_id: int, count: int, threads: int) -> float:
    made = list(batches(entries(count), count // threads))

    def work(mine):
        for entry in mine:
            log.append(game_id, [entry])

    running = [threading.Thread(target=work, args=(mine,)) for mine in made]
    began = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return count / (time.perf_counter() - began)


def main() -> None:
    wanted = json.loads(sys.argv[1])
    game_id = Game.objects.get(slug=wanted["game"]).pk
    append_per_second(game_id, 2 * BATCH)
    told: dict[str, list[float]] = {"append": [], "copy": [], "one thread": [], "threads": []}
    for _ in range(wanted["rounds"]):
        told["append"].append(append_per_second(game_id, wanted["events"]))
        told["copy"].append(copying.events_per_second(wanted["events"], BATCH))
        if wanted["singles"]:
            told["one thread"].append(singles_per_second(game_id, wanted["singles"] // 8, 1))
            told["threads"].append(singles_per_second(game_id, wanted["singles"], THREADS))
    sys.stdout.write(json.dumps(told))


if __name__ == "__main__":
    main()
