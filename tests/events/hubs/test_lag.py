"""The lag in events is exact: append raises what a lane counts, a checkpoint what it has passed."""

import importlib
from itertools import pairwise

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from events.hubs import claim as claims
from events.hubs import registry
from events.hubs.progress import lags, settle
from events.hubs.projection import Hub, Prepared
from events.hubs.run import run, step_once
from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.models import Checkpoint, DeadLetter, Game, Partition
from tests.events.hubs.conftest import MakeHub
from tests.events.hubs.recording import Recording
from tests.given import an_event, given_events, given_game, hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)

MIGRATION = importlib.import_module("events.migrations.0003_exact_lag")


def lag_of(lane: Lane, hub: str = "recorder") -> tuple[int, int]:
    """Return (events, partitions) that wait."""
    return next((lag.events, lag.waiting) for lag in lags() if (lag.hub, lag.lane) == (hub, lane))


def counts(game: Game) -> list[tuple[int, int, int]]:
    rows = Partition.objects.filter(game=game).order_by("number")
    return list(rows.values_list("urgent_count", "normal_count", "bulk_count"))


def test_append_counts_each_lane() -> None:
    game = given_game(partitions=1)
    given_events(game, an_event(), an_event(), lane=Lane.NORMAL)
    given_events(game, an_event(), lane=Lane.URGENT)
    given_events(game, *[an_event() for _ in range(150)], lane=Lane.BULK)  # by COPY on PostgreSQL
    assert counts(game) == [(1, 2, 150)]


def test_a_repeat_and_a_conflict_are_not_counted() -> None:
    game = given_game(partitions=1)
    event = an_event(id="once")
    given_events(game, event, event)
    given_events(game, event, an_event(stream="s", expected_version=7))
    assert counts(game) == [(0, 1, 0)]


def test_the_lag_is_the_number_of_events_that_wait_whatever_lies_between(recording_hub: MakeHub) -> None:
    """Offsets count all lanes: their difference is no number of events."""
    game = given_game(partitions=1)
    recording_hub()
    for _ in range(3):
        given_events(game, *[an_event() for _ in range(10)], lane=Lane.BULK)
        given_events(game, an_event(), lane=Lane.URGENT)
    assert [lag_of(lane) for lane in Lane] == [(3, 1), (0, 0), (30, 1)]
    hubs_catch_up()
    assert [lag_of(lane) for lane in Lane] == [(0, 0)] * 3


def test_the_lag_is_summed_over_partitions(recording_hub: MakeHub) -> None:
    game = given_game(partitions=4)
    recording_hub()
    given_events(game, *[an_event() for _ in range(40)])
    assert lag_of(Lane.NORMAL) == (40, 4)
    step_once(registry.hub("recorder"), Lane.NORMAL)
    events, partitions = lag_of(Lane.NORMAL)
    first = Checkpoint.objects.get(lane=Lane.NORMAL, passed__gt=0)
    assert (events, partitions) == (40 - first.passed, 3)


class OneByOne(Recording):
    """Takes one event of each batch, as a projection does whose transaction would grow too long."""

    def prepare(self, events: list[LoggedEvent]) -> Prepared:  # type: ignore[override] # a list is a sequence
        """Take the first."""
        return Prepared(take=1)


def test_what_did_not_fit_into_the_transaction_is_not_passed(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    recording_hub()
    registry.register(Hub(name="recorder", projections=(OneByOne("recorder"),)))
    given_events(game, *[an_event(stream="s") for _ in range(5)])
    seen = [lag_of(Lane.NORMAL)[0]]
    while step_once(registry.hub("recorder"), Lane.NORMAL).value == "done":
        seen.append(lag_of(Lane.NORMAL)[0])
    assert seen == [5, 4, 3, 2, 1, 0]


def test_a_parked_event_and_those_behind_it_are_passed(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)

    def poison(event: LoggedEvent) -> None:
        if event.stream == "poisoned":
            raise ValueError

    recording_hub(on_apply=poison)
    given_events(game, *[an_event(stream=stream) for _ in range(4) for stream in ("poisoned", "well")])
    hubs_catch_up()
    assert DeadLetter.objects.count() == 1
    checkpoint = Checkpoint.objects.get(lane=Lane.NORMAL)
    assert (checkpoint.passed, checkpoint.processed) == (8, 4)
    given_events(game, an_event(stream="poisoned"), an_event(stream="well"))
    assert lag_of(Lane.NORMAL)[0] == 2
    hubs_catch_up()
    assert lag_of(Lane.NORMAL) == (0, 0)


def test_the_lag_shrinks_by_each_batch_and_never_grows(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, *[an_event() for _ in range(450)])
    seen = [lag_of(Lane.NORMAL)[0]]
    while step_once(registry.hub("recorder"), Lane.NORMAL).value == "done":
        seen.append(lag_of(Lane.NORMAL)[0])
    assert seen == [450, 350, 250, 150, 50, 0]
    assert all(later < earlier for earlier, later in pairwise(seen))


def test_a_hub_that_begins_late_knows_how_much_history_lies_before_it(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    given_events(game, *[an_event() for _ in range(7)])
    recording_hub("late")
    assert lag_of(Lane.NORMAL, "late") == (7, 1)
    assert Checkpoint.objects.get(hub="late", lane=Lane.NORMAL).joined == 7


def test_the_lag_costs_the_same_whatever_waits(recording_hub: MakeHub) -> None:
    game = given_game(partitions=2)
    recording_hub()
    given_events(game, *[an_event() for _ in range(300)])
    with CaptureQueriesContext(connection) as queries:
        lags()
    assert len(queries) == len(Lane)


def test_a_claim_names_its_process(recording_hub: MakeHub) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, an_event())
    run("recorder", Lane.NORMAL)
    assert Checkpoint.objects.get(lane=Lane.NORMAL).holder == claims.holder()


def test_numbers_that_an_older_version_left_behind_are_set_right(recording_hub: MakeHub) -> None:
    """It raises heads and positions, and counts neither."""
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, *[an_event() for _ in range(5)])
    hubs_catch_up()
    Partition.objects.update(normal_count=2)
    Checkpoint.objects.update(passed=0)
    given_events(game, an_event())
    assert settle() == 0  # not while something waits: nobody knows how much
    hubs_catch_up()
    assert settle() == 1
    assert lag_of(Lane.NORMAL) == (0, 0)
    given_events(game, an_event(), an_event())
    assert lag_of(Lane.NORMAL) == (2, 1)


def test_the_migration_counts_what_was_there_before(recording_hub: MakeHub) -> None:
    game = given_game(partitions=2)
    recording_hub()
    given_events(game, *[an_event() for _ in range(30)])
    hubs_catch_up()
    given_events(game, *[an_event() for _ in range(9)])
    given_events(game, *[an_event() for _ in range(4)], lane=Lane.BULK)
    before = counts(game), list(Checkpoint.objects.order_by("id").values_list("passed"))
    Partition.objects.update(urgent_count=0, normal_count=0, bulk_count=0)
    Checkpoint.objects.update(passed=0)
    with connection.cursor() as cursor:
        cursor.execute(MIGRATION.COUNT_THE_LOG)
        cursor.execute(MIGRATION.COUNT_WHAT_WAS_PASSED)
    assert (counts(game), list(Checkpoint.objects.order_by("id").values_list("passed"))) == before
    assert lag_of(Lane.NORMAL)[0] == 9
