"""Payloads go by age and by number, in small steps, and never while somebody needs them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection

from events import tasks
from events.hubs import needs
from events.lanes import Lane
from events.log.horizon import older_than_newest
from events.models import (
    DeadLetter,
    Erasure,
    Event,
    Game,
    IdempotencyKey,
    OutboxEvent,
    Partition,
    Retention,
    Sweep,
)
from events.models.erasures import Why
from events.retention import leftovers, payloads, sweeping
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.events.log.test_append import chain_problems
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.plans import recorded, walks

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(autouse=True)
def _horizons_are_looked_for() -> None:
    payloads.forget()


def given_days(game: Game, *days_ago: float, **fields: Any) -> None:
    """Append one event for each of these ages, oldest first, and let the hubs follow."""
    for days in sorted(days_ago, reverse=True):
        with time_machine.travel(NOW - days * DAY, tick=False):
            given_events(game, an_event(data={"days": days}, **fields))
    hubs_catch_up()


def kept(game: Game) -> list[float]:
    """Return the ages whose payloads are still there."""
    rows = Event.objects.filter(game=game, data__isnull=False, source="/tests").order_by("-recorded")
    return [float((row.data or "").partition(":")[2].rstrip("}")) for row in rows]


def keep(game: Game, **fields: Any) -> Retention:
    return Retention.objects.update_or_create(game=game, defaults=fields)[0]


def sweep(at: datetime = NOW) -> None:
    """Work until everything rests."""
    with time_machine.travel(at, tick=False):
        sweeping.make_missing()
        Sweep.objects.update(due=at)
        for pk in Sweep.objects.values_list("pk", flat=True):
            while sweeping.sweep_once(pk):
                pass


def test_by_age() -> None:
    game = given_game(partitions=2)
    given_days(game, 10, 9, 8, 2, 1)
    keep(game, payload_days=8)
    sweep(NOW + timedelta(minutes=1))
    assert kept(game) == [1, 2]
    assert chain_problems(game.id) == []
    assert set(Erasure.objects.values_list("why", "by")) == {(Why.RETENTION, "")}


def test_nothing_goes_where_nothing_is_asked_for() -> None:
    game = given_game()
    given_days(game, 1_000)
    keep(game)
    sweep()
    assert not Sweep.objects.exists()
    assert kept(game) == [1_000]


def test_by_number_keeps_the_newest_of_the_game_whatever_partition_they_are_in() -> None:
    game = given_game(partitions=3)
    given_days(game, *range(1, 301), stream="a stream that is much busier than the others")
    given_days(game, *[n + 0.5 for n in range(1, 40)])
    keep(game, payloads=100)
    sweep()
    left = kept(game)
    newest = sorted([*range(1, 301), *[n + 0.5 for n in range(1, 40)]])
    assert left == newest[: len(left)]
    assert 100 <= len(left) <= 200


def test_fewer_than_the_number_are_all_kept() -> None:
    game = given_game(partitions=2)
    given_days(game, 3, 2, 1)
    assert older_than_newest(game.id, 3) is None
    keep(game, payloads=3)
    sweep()
    assert kept(game) == [1, 2, 3]


def test_events_of_one_instant_are_not_told_apart() -> None:
    game = given_game(partitions=1)
    with time_machine.travel(NOW - DAY, tick=False):
        given_events(game, *[an_event(data={"days": 1}) for _ in range(300)])
    hubs_catch_up()
    keep(game, payloads=10)
    sweep()
    assert len(kept(game)) == 300


def test_what_folds_read_and_what_staff_did_is_kept_whatever_its_age() -> None:
    game = given_game(partitions=1)
    given_days(game, 30, type="player.updated", stream="alice")
    given_days(game, 30, type="staff.said")
    given_days(game, 30, type="level.reached")
    keep(game, payload_days=1)
    sweep()
    left = Event.objects.filter(game=game, data__isnull=False).values_list("type", flat=True)
    assert set(left) == {"player.updated", "staff.said"}


def test_what_a_hub_has_yet_to_process_is_kept_and_goes_later(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_days(game, 30, 29)
    with time_machine.travel(NOW - 28 * DAY, tick=False):
        given_events(game, an_event(data={"days": 28}))
    keep(game, payload_days=1)
    sweep()
    assert kept(game) == [28]
    hubs_catch_up()
    sweep()
    assert kept(game) == []


def test_what_a_dead_letter_needs_is_left_and_looked_at_again_the_next_day() -> None:
    game = given_game(partitions=1)
    given_days(game, 30, 29, stream="parked")
    given_days(game, 28, 27)
    letter = DeadLetter.objects.create(
        hub="decisions", game=game, partition=Partition.objects.get(game=game), lane=Lane.NORMAL, stream="parked",
        version=2, event_offset=2, event_type="level.reached", cause="ValueError", traceback="", tries=3,
    )  # fmt: skip
    keep(game, payload_days=1)
    sweep()
    assert kept(game) == [29]
    DeadLetter.objects.filter(pk=letter.pk).update(resolved=NOW)
    sweep(NOW + timedelta(hours=1))
    assert kept(game) == [29]  # it would cost a walk each time
    sweep(NOW + 2 * DAY)
    assert kept(game) == []


def test_another_room_s_need_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game(partitions=1)
    given_days(game, 30, 29)
    second = Event.objects.get(game=game, offset=2).pk
    monkeypatch.setattr(needs, "_needs", {"test": lambda _pks: {second: "it is read"}})
    keep(game, payload_days=1)
    sweep()
    assert kept(game) == [29]


def test_steps_are_short() -> None:
    game = given_game(partitions=1)
    with time_machine.travel(NOW - 10 * DAY, tick=False):
        given_events(game, *[an_event(data={"days": 10}) for _ in range(250)])
    hubs_catch_up()
    keep(game, payload_days=1)
    sweeping.make_missing()
    pk = Sweep.objects.get().pk
    assert [sweeping.sweep_once(pk) for _ in range(4)] == [True, True, True, False]
    assert sorted(Erasure.objects.values_list("count", flat=True)) == [50, 100, 100]


def test_urgent_work_comes_first(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_days(game, 30)
    keep(game, payload_days=1)
    sweeping.make_missing()
    given_events(game, an_event(), lane=Lane.URGENT)
    assert sweeping.work_for(1) is False
    assert kept(game) == [30]
    hubs_catch_up()
    sweeping.work_for(1)
    assert kept(game) == []


def test_beat_does_it() -> None:
    game = given_game(partitions=1)
    given_days(game, 30)
    keep(game, payload_days=1)
    sweeping.make_missing()
    tasks.retain()
    assert kept(game) == []


def test_a_step_that_fails_rests_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    games = [given_game(partitions=1) for _ in range(2)]
    for game in games:
        given_days(game, 30)
        keep(game, payload_days=1)
    sweeping.make_missing()
    step = payloads.step

    def fail(sweep: Sweep, *rest: Any) -> Any:
        if sweep.game_id == games[0].pk:
            raise ValueError
        return step(sweep, *rest)

    broken = sweeping.Sweeper(name="payloads", wanted=payloads.wanted, step=fail, by_partition=True)
    monkeypatch.setitem(sweeping._sweepers, "payloads", broken)
    sweeping.work_for(5)
    assert (kept(games[0]), kept(games[1])) == ([30], [])
    assert Sweep.objects.get(game=games[0]).due > datetime.now(UTC)


def test_a_sweep_killed_between_any_two_statements_is_gone_on_with() -> None:
    statements = 0
    while True:
        game = given_game(partitions=1)
        given_days(game, 30, 29)
        keep(game, payload_days=1)
        sweeping.make_missing()
        killed = killed_after(statements, Sweep.objects.get(game=game).pk)
        assert chain_problems(game.id) == [], f"killed after {statements} statements"
        sweep()
        assert kept(game) == [], f"killed after {statements} statements"
        assert Sweep.objects.get(game=game).taken == 2
        assert chain_problems(game.id) == []
        if not killed:
            break
        statements += 1
    assert statements > 5


def killed_after(statements: int, pk: int) -> bool:
    left = [statements]

    def kill(execute: Callable[..., Any], *args: Any) -> Any:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return execute(*args)

    try:
        with connection.execute_wrapper(kill):
            sweeping.sweep_once(pk)
    except Killed:
        connection.close()  # as the kernel does
        return True
    return False


def test_no_step_walks_the_log(monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game(partitions=2)
    with time_machine.travel(NOW - 10 * DAY, tick=False):
        for _ in range(15):
            given_events(game, *[an_event(data={"n": n}) for n in range(1_000)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    hubs_catch_up()
    keep(game, payload_days=1, payloads=500)
    sweeping.make_missing()
    with recorded(monkeypatch) as statements:
        for pk in Sweep.objects.values_list("pk", flat=True):
            sweeping.sweep_once(pk)
    of_the_log = [each for each in statements if "events_event" in each[0]]
    assert of_the_log
    assert not [sql for sql, values in of_the_log if walks((sql, values), "events_event")]
    assert not [sql for sql, _ in of_the_log if "COUNT(" in sql.upper()]


# -- what has a fixed age ---------------------------------------------------------------------------------


def test_leftovers_go_at_their_age_and_what_still_matters_stays() -> None:
    game = given_game()
    for n, appended in enumerate((NOW - 31 * DAY, NOW - 29 * DAY, None)):
        OutboxEvent.objects.create(
            game=game, event_id=f"o{n}", type="t", stream="s", data="{}", appended=appended
        )
    for n, resolved in enumerate((NOW - 91 * DAY, NOW - 89 * DAY, None)):
        DeadLetter.objects.create(
            hub="h", game=game, partition=Partition.objects.filter(game=game)[0], lane=0, stream=f"s{n}", version=1,
            event_offset=1, event_type="t", cause="c", traceback="", tries=3, resolved=resolved,
        )  # fmt: skip
    assert leftovers.sweep_for(1) == 2
    assert set(OutboxEvent.objects.values_list("event_id", flat=True)) == {"o1", "o2"}
    assert set(DeadLetter.objects.values_list("stream", flat=True)) == {"s1", "s2"}
    assert not IdempotencyKey.objects.exists()


def test_many_leftovers_go_in_portions() -> None:
    game = given_game()
    OutboxEvent.objects.bulk_create(
        OutboxEvent(game=game, event_id=f"o{n}", type="t", stream="s", data="{}", appended=NOW - 40 * DAY)
        for n in range(250)
    )
    assert leftovers.sweep_for(5) == 250
