"""The check of the whole road."""

from collections.abc import Iterator

from config.doctor.check import Check, Target
from config.doctor.finding import WITH_URL, Finding, not_run
from config.doctor.road import game, inside, outside


class Road(Check):
    """An event of the doctor's own game, from the post to the device of its own player."""

    name = "road.event"
    needs = ("database.migrations", "workers.up")
    patience_s = 60.0

    def look(self, target: Target) -> Iterator[Finding]:
        """Follow one: from outside where an address is given, else as far as it goes in here."""
        try:
            with game.turn():
                yield from outside.ask(target.url) if target.url else inside.ask()
        except game.Busy:
            yield not_run(
                "another doctor follows an event at this moment",
                f"run it again; one that was killed is forgotten after {game.TURN_LIVES.seconds} s",
            )
            return
        if not target.url:
            yield not_run("the API, the player's socket and its acks", WITH_URL)
