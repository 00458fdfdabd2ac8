"""What is not counted but is so at the moment: read from the database when Prometheus asks."""

from collections.abc import Iterator
from datetime import UTC, datetime

from django.db import Error, connection
from django.db.models import Count, Sum
from prometheus_client import values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from config.watch.kinds import KINDS
from events import breakers
from events.breakers import State as Circuit
from events.hubs.backlogs import backlogs_of
from events.hubs.progress import lags
from events.lanes import Lane
from events.models import Alarm, DeadLetter, Game, OutboxEvent, Partition, RefusedLane
from notifications.delivery import standing
from players.models import Gateway

WEIGHT = {Circuit.CLOSED: 0, Circuit.HALF_OPEN: 1, Circuit.OPEN: 2}


class State(Collector):
    """Lag, heads, dead letters, outbox, deliveries, sockets, breakers."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Return the gauges; a database that is away leaves them out, and says so."""
        up = GaugeMetricFamily("clarion_database_up", "Whether the database answers.")
        try:
            breakers.demand_database()
            families = [
                *_lags(),
                *_backlogs(),
                _refused(),
                _heads(),
                _lane_heads(),
                _letters(),
                _outbox(),
                *_deliveries(),
                _sockets(),
                _alarms(),
            ]
            up.add_metric([], 1)
            yield from families
        except Error:
            up.add_metric([], 0)
        finally:
            connection.close()
        yield up
        yield _breakers()


def many_processes() -> bool:
    """Tell whether PROMETHEUS_MULTIPROC_DIR is set: several processes are then told as one."""
    return str(values.ValueClass.__name__) == "MmapedValue"


def _breakers() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "clarion_breaker_state",
        "What this process takes a dependency for: 0 there, 1 being asked, 2 away.",
        labels=["name"],
    )
    for status in breakers.statuses():
        family.add_metric([status.name], WEIGHT[status.state])
    return family


def _lags() -> list[GaugeMetricFamily]:
    age = GaugeMetricFamily(
        "clarion_lag_seconds", "Age of the oldest event that a hub has not processed.", labels=["hub", "lane"]
    )
    events = GaugeMetricFamily(
        "clarion_lag_events", "Events that a hub has not processed.", labels=["hub", "lane"]
    )
    waiting = GaugeMetricFamily(
        "clarion_lag_partitions", "Partitions in which a hub has work.", labels=["hub", "lane"]
    )
    for lag in lags():
        labels = [lag.hub, Lane(lag.lane).label]
        age.add_metric(labels, lag.oldest_s)
        events.add_metric(labels, lag.events)
        waiting.add_metric(labels, lag.waiting)
    return [age, events, waiting]


def _backlogs() -> list[GaugeMetricFamily]:
    """Tell each game's lanes by their slowest hub, as back-pressure sees them."""
    labels = ["game", "lane"]
    events = GaugeMetricFamily(
        "clarion_game_lag_events", "Events that the slowest hub has not processed.", labels=labels
    )
    age = GaugeMetricFamily(
        "clarion_game_lag_seconds", "Age of the oldest event that a hub has not processed.", labels=labels
    )
    slugs = dict(Game.objects.order_by("slug").values_list("pk", "slug"))
    found = backlogs_of(list(slugs))
    for pk, slug in slugs.items():
        for lane in Lane:
            events.add_metric(
                [slug, lane.label], max((each.events[lane] for each in found.get(pk, [])), default=0)
            )
            age.add_metric(
                [slug, lane.label], max((each.oldest_s[lane] for each in found.get(pk, [])), default=0)
            )
    return [events, age]


def _refused() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "clarion_lane_refused", "1 while a game's lane is refused.", labels=["game", "lane"]
    )
    for slug, lane in RefusedLane.objects.values_list("game__slug", "lane"):
        family.add_metric([slug, Lane(lane).label], 1)
    return family


def _heads() -> GaugeMetricFamily:
    family = GaugeMetricFamily("clarion_log_events", "Events in a game's log.", labels=["game"])
    for slug, head in (
        Partition.objects.values_list("game__slug").annotate(Sum("head")).order_by("game__slug")
    ):
        family.add_metric([slug], head)
    return family


def _lane_heads() -> GaugeMetricFamily:
    family = GaugeMetricFamily(
        "clarion_lane_head", "Last offset of a partition's lane.", labels=["game", "partition", "lane"]
    )
    columns = [f"{lane.label}_head" for lane in Lane]
    for slug, number, *heads in Partition.objects.order_by("id").values_list(
        "game__slug", "number", *columns
    ):
        for lane, head in zip(Lane, heads, strict=True):
            family.add_metric([slug, str(number), lane.label], head)
    return family


def _letters() -> GaugeMetricFamily:
    parked = DeadLetter.objects.filter(resolved=None).count()
    return GaugeMetricFamily("clarion_dead_letters", "Parked streams.", value=parked)


def _outbox() -> GaugeMetricFamily:
    waiting = OutboxEvent.objects.filter(appended=None).count()
    return GaugeMetricFamily(
        "clarion_outbox_events", "Clarion's own events that are not yet in the log.", value=waiting
    )


def _deliveries() -> list[GaugeMetricFamily]:
    labels = ["game", "channel"]
    count = GaugeMetricFamily(
        "clarion_deliveries_waiting",
        "Deliveries that wait for their time or are just being sent, counted up to 100,000.",
        labels=labels,
    )
    oldest = GaugeMetricFamily(
        "clarion_deliveries_oldest_seconds",
        "Age of the waiting delivery that was queued first.",
        labels=labels,
    )
    overdue = GaugeMetricFamily(
        "clarion_deliveries_overdue_seconds",
        "For how long a delivery has been due and not taken up.",
        labels=labels,
    )
    for each in standing.waiting(datetime.now(UTC)):
        where = [each.game, each.channel]
        count.add_metric(where, each.count)
        oldest.add_metric(where, each.oldest_s)
        overdue.add_metric(where, each.overdue_s)
    return [count, oldest, overdue]


def _sockets() -> GaugeMetricFamily:
    alive = Gateway.objects.filter(lease_until__gt=datetime.now(UTC))
    total = alive.aggregate(Sum("sockets"))["sockets__sum"] or 0
    return GaugeMetricFamily("clarion_sockets", "Players' sockets on all gateways.", value=total)


def _alarms() -> GaugeMetricFamily:
    """Tell every kind, so that a rule over there sees a zero rather than nothing."""
    rows = Alarm.objects.filter(ended=None).exclude(opened=None).values_list("kind").annotate(Count("id"))
    counts = dict.fromkeys(KINDS, 0) | dict(rows.order_by("kind"))
    family = GaugeMetricFamily("clarion_alarms", "Alarms that are open.", labels=["kind"])
    for kind, count in counts.items():
        family.add_metric([kind], count)
    return family
