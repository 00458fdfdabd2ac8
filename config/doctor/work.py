"""What is left to do: hubs that stand still or are paused, parked streams, the outbox, what is refused, alarms."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db.models import Count, Min

from config.doctor.check import Check, Target
from config.doctor.finding import Finding, fail, ok, warn
from config.watch import kinds
from config.watch.kinds import KINDS, title_of
from config.watch.rules import hubs as watched
from events.hubs import board
from events.hubs.registry import hubs
from events.lanes import Lane
from events.models import Alarm, Checkpoint, DeadLetter, Partition, RefusedLane, Severity

SHOWN = 5


class Hubs(Check):
    """Whether every hub follows every lane."""

    name = "hubs.lanes"
    needs = ("database.migrations",)

    def look(self, target: Target) -> Iterator[Finding]:
        """Look at each hub's lanes, as the Hubs screen does."""
        rows, limits = board.rows(), kinds.in_force()
        yield from _missing()
        for row in rows:
            told = f"the hub {row.hub} in the {row.lane.label} lane"
            values = {"events": row.events, "oldest_s": round(row.oldest_s, 1)}
            if row.stalled:
                yield fail(
                    f"{told} stands still in {row.stalled} partitions; {row.events:,} events wait, the oldest for"
                    f" {row.oldest_s:.0f} s",
                    "docs/runbook.md, Hub stalled; Locks in the console says who holds it",
                    **values,
                )
            elif row.paused:
                yield warn(
                    f"{told} is paused in {row.paused} partitions; {row.events:,} events wait",
                    "resume it in the console (Hubs), unless somebody means it",
                    **values,
                )
            elif row.oldest_s > (limit := limits[f"lag_{row.lane.label}"].limit):
                yield warn(
                    f"{told} is late: its oldest event waits for {row.oldest_s:.0f} s, more than {limit:.0f} s",
                    f"docs/runbook.md, {KINDS[f'lag_{row.lane.label}'].title}",
                    **values,
                )
        if not any(row.stalled or row.paused for row in rows):
            yield ok(
                f"{len({row.hub for row in rows})} hubs follow; {sum(row.events for row in rows):,} events wait"
            )


class DeadLetters(Check):
    """What hubs had to leave behind."""

    name = "hubs.dead_letters"
    needs = ("database.migrations",)

    def look(self, target: Target) -> Iterator[Finding]:
        """Count them by their cause; the error's class is told, nothing of the event."""
        groups = (
            DeadLetter.objects.filter(resolved=None)
            .values("hub", "cause")
            .annotate(count=Count("id"), first=Min("created"))
            .order_by("-count", "hub", "cause")
        )
        found = list(groups[: SHOWN + 1])
        for row in found[:SHOWN]:
            yield warn(
                f"{row['count']} streams of the hub {row['hub']} are parked: {row['cause']}, since"
                f" {row['first']:%Y-%m-%d %H:%M} UTC",
                "mend the cause, then retry, or skip with a reason; docs/runbook.md, Dead letters growing",
                streams=row["count"],
            )
        if not found:
            yield ok("no stream is parked")


class Outbox(Check):
    """Clarion's own events that wait for the log."""

    name = "hubs.outbox"
    needs = ("database.migrations",)

    def look(self, target: Target) -> Iterator[Finding]:
        """Ask as the watch does."""
        found = list(watched.outbox(kinds.in_force(), datetime.now(UTC)))
        for each in found:
            yield warn(each.text.rstrip("."), "docs/runbook.md, Outbox waiting", oldest_s=round(each.value))
        if not found:
            yield ok("the outbox is empty, or nearly so")


class Refusals(Check):
    """Lanes that are refused at the moment."""

    name = "hubs.back_pressure"
    needs = ("database.migrations",)

    def look(self, target: Target) -> Iterator[Finding]:
        """List them."""
        rows = list(RefusedLane.objects.select_related("game").order_by("since"))
        for row in rows[:SHOWN]:
            yield warn(
                f"events of the {row.get_lane_display()} lane of {row.game.slug} are refused since"
                f" {row.since:%Y-%m-%d %H:%M} UTC",
                "docs/runbook.md, Back-pressure refusing",
            )
        if not rows:
            yield ok("no lane is refused")


class OpenAlarms(Check):
    """What the watch has found; it knows more than this command."""

    name = "alarms.open"
    needs = ("database.migrations",)

    def look(self, target: Target) -> Iterator[Finding]:
        """Sum up: each kind once."""
        rows = (
            Alarm.objects.filter(ended=None)
            .exclude(opened=None)
            .values("kind", "severity")
            .annotate(count=Count("id"), since=Min("since"))
            .order_by("severity", "kind")
        )
        found = list(rows)
        for row in found:
            title = title_of(row["kind"])
            word = "critical" if row["severity"] == Severity.CRITICAL else "warning"
            yield warn(
                f"{row['count']} {word} alarm: {title}, since {row['since']:%Y-%m-%d %H:%M} UTC",
                f"docs/runbook.md, {title}; Alarms in the console says more",
                alarms=row["count"],
            )
        if not found:
            yield ok("no alarm is open")


def _missing() -> Iterator[Finding]:
    """Find partitions that a hub does not follow: an append does not wait for the sweep that makes them."""
    partitions = Partition.objects.count()
    for hub in hubs():
        for lane in hub.lanes:
            followed = Checkpoint.objects.filter(hub=hub.name, lane=lane).count()
            if followed < partitions:
                yield fail(
                    f"the hub {hub.name} follows {followed} of {partitions} partitions in the {Lane(lane).label} lane",
                    "the sweep makes what is missing: see that beat and the workers live",
                )
