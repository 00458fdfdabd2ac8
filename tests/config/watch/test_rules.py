"""Each rule finds what is wrong, says it in words, and finds nothing when all is well."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Sum
from django.test.utils import CaptureQueriesContext

from config import health
from config.watch import kinds, looking
from config.watch.conditions import Condition
from config.watch.looking import Look
from config.watch.rules import hubs, machinery, notifications, producers
from events import heartbeats, keys, outbox, storage
from events import producers as counting
from events.lanes import Lane
from events.log.entries import Duplicate
from events.models import Checkpoint, Game, Heartbeat, ProducerMinute, RefusedLane
from events.storage import Forecast
from events.tasks import sweep
from notifications.delivery import registry
from notifications.models import Decision, Delivery, Notification
from players.models import Device, Gateway, Player, Presence
from tests.config.watch.conftest import Time, opened
from tests.events.api.server import GameServer
from tests.events.envelope.requests import members
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.given import an_event, given_age, given_events, given_game, given_letter, hubs_catch_up
from tests.notifications.delivery.scene import given_delivery, given_memory
from tests.notifications.given import decide, given_levels, given_rule

pytestmark = pytest.mark.django_db(transaction=True)

IDLE_QUERIES_MAX = 34
"""Of the costliest look, when every rule is due; most looks ask a third of that."""
USUAL_QUERIES_MAX = 16


def found(rule: Any, at: datetime | None = None) -> list[Condition]:
    """What a rule finds, with the limits in force."""
    return list(rule(kinds.in_force(), at or datetime.now(UTC)))


def later(**units: float) -> datetime:
    return datetime.now(UTC) + timedelta(**units)


# -- hubs ---------------------------------------------------------------------------------------------


def test_a_lane_that_is_late_is_found_with_its_age(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    game = given_game("alpha", partitions=2)
    recording_hub()
    given_events(game, an_event(), lane=Lane.URGENT)
    assert "lag_urgent" not in {each.kind for each in found(hubs.late_or_stalled)}
    given_age(seconds=10)
    (lag,) = [
        each for each in found(hubs.late_or_stalled) if each.kind == "lag_urgent" and each.key == "recorder"
    ]
    assert (10 <= lag.value < 20, lag.limit) == (True, 2)
    assert lag.text.startswith("The hub recorder is late in the urgent lane: its oldest event waits for 1")
    hubs_catch_up()
    assert found(hubs.late_or_stalled) == []


def test_a_hub_that_does_not_move_is_found_by_lane_and_game(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
) -> None:
    game = given_game("alpha", partitions=2)
    recording_hub()
    given_events(game, *[an_event(stream=f"s{n}") for n in range(20)])
    given_age(seconds=60)
    stalled = {each.key: each for each in found(hubs.late_or_stalled) if each.kind == "hub_stalled"}
    assert stalled["recorder/normal/alpha"].game_id == game.pk
    assert "2 partitions with work" in stalled["recorder/normal/alpha"].text
    Checkpoint.objects.filter(hub="recorder").update(paused=True)
    assert not [
        each for each in found(hubs.late_or_stalled) if each.kind == "hub_stalled" and "recorder" in each.key
    ]


def test_a_hub_that_moves_is_late_but_not_stalled(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    game = given_game(partitions=1)
    recording_hub()
    given_events(game, an_event())
    given_age(seconds=60)
    Checkpoint.objects.update(advanced=datetime.now(UTC))
    told = {each.kind for each in found(hubs.late_or_stalled)}
    assert told == {"lag_normal"}


def test_work_that_has_just_come_to_an_idle_hub_does_not_make_it_stalled(
    recording_hub: MakeHub,  # noqa: F811 - the fixture
) -> None:
    game = given_game(partitions=1)
    recording_hub()
    given_age(hours=3)
    given_events(game, an_event())
    assert found(hubs.late_or_stalled) == []


@pytest.mark.usefixtures("time")
def test_dead_letters_that_come_are_found_and_old_ones_are_not() -> None:
    game = given_game("alpha")
    first = given_letter(game)
    given_letter(game, "bob")
    (growing,) = found(hubs.dead_letters)
    assert (growing.key, growing.value, growing.since) == ("alpha", 2, first.created)
    assert "2 streams were parked in alpha" in growing.text
    assert found(hubs.dead_letters, later(minutes=11)) == []


def test_own_events_that_wait_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game("alpha")
    monkeypatch.setattr(outbox, "flush", lambda *_: 0)
    outbox.write(game_id=game.id, event_id="staff:1", type="staff.tried", stream="staff", data={})
    assert found(hubs.outbox) == []
    (waiting,) = found(hubs.outbox, later(seconds=20))
    assert "the oldest, of alpha, for 2" in waiting.text


# -- the machinery --------------------------------------------------------------------------------------


def test_sweeps_that_stop_are_found_and_going_on_ends_it() -> None:
    sweep()
    assert found(machinery.sweeps) == []
    (stopped,) = found(machinery.sweeps, later(seconds=40))
    assert stopped.value >= 39
    assert "has not run for" in stopped.text


def test_sweeps_that_never_began_are_found_too(time: Time) -> None:
    assert found(machinery.sweeps, time.now) == []
    assert len(found(machinery.sweeps, time.passes(seconds=31))) == 1


def test_the_broker_and_redis_are_named_when_they_do_not_answer(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    settings.CLARION_SERVICES, settings.REDIS_URL = True, "redis://127.0.0.1:1/0"
    monkeypatch.setattr(health.BROKER, "glance", lambda _patience: "ok")
    monkeypatch.setattr(health.REDIS, "glance", lambda _patience: "ConnectionError")
    (away,) = found(machinery.servers)
    assert (away.kind, away.text) == ("redis", "Redis away: ConnectionError.")


@pytest.mark.parametrize(
    ("used", "growth", "alarms"),
    [(50, 1, 0), (50, 10, 1), (95, 0, 1), (95, None, 1), (50, None, 0), (50, -3, 0)],
)
def test_a_disk_that_fills_is_found(
    monkeypatch: pytest.MonkeyPatch, used: int, growth: int | None, alarms: int
) -> None:
    forecast = Forecast(used=used, growth_per_day=growth, limit=100, events_per_day=None)
    monkeypatch.setattr(storage, "forecast", lambda: forecast)
    assert len(found(machinery.disk)) == alarms


def test_the_clocks_of_one_machine_agree() -> None:
    assert found(machinery.clock) == []
    now = datetime.now(UTC)
    ahead = now + timedelta(seconds=7)
    assert machinery.outside(ahead, now, now) == 7
    assert machinery.outside(now, ahead, ahead) == 7
    assert machinery.outside(now, now - timedelta(seconds=3), ahead) == 0


# -- producers ------------------------------------------------------------------------------------------


def test_a_producer_that_repeats_itself_is_found_by_its_key(time: Time) -> None:
    game = given_game("alpha")
    key = keys.verify(f"Bearer {keys.issue(game, 'match-server')}").key_id
    fresh = given_events(game, *[an_event(id=f"e{number}") for number in range(80)])
    again = given_events(game, *[an_event(id=f"e{number}") for number in range(40)])
    assert {type(each) for each in again} == {Duplicate}
    counting.count(key, fresh, time.now)
    counting.flush()
    assert found(producers.duplicates, time.now) == []
    counting.count(key, again, time.now)
    counting.flush()
    (ratio,) = found(producers.duplicates, time.now)
    assert ratio.value == 33.3
    assert "40 of 120" in ratio.text
    assert ratio.game_id == game.pk
    assert found(producers.duplicates, time.passes(minutes=7)) == []


def test_few_events_tell_no_ratio(time: Time) -> None:
    game = given_game()
    key = keys.verify(f"Bearer {keys.issue(game, 'match-server')}").key_id
    given_events(game, an_event(id="once"))
    counting.count(key, given_events(game, an_event(id="once")) * 20, time.now)
    counting.flush()
    assert found(producers.duplicates, time.now) == []


def test_counts_of_several_processes_add_up_to_one_row_a_minute(time: Time) -> None:
    game = given_game()
    key = keys.verify(f"Bearer {keys.issue(game, 'match-server')}").key_id
    events = given_events(game, an_event(), an_event())
    for _ in range(3):
        counting.count(key, events, time.now)
        assert counting.flush() == 1
    assert counting.flush() == 0
    assert ProducerMinute.objects.get().appended == 6
    counting.forget_old(time.passes(hours=25))
    assert not ProducerMinute.objects.exists()


def test_counts_outlive_a_flush_that_failed(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game()
    key = keys.verify(f"Bearer {keys.issue(game, 'match-server')}").key_id
    counting.count(key, given_events(game, an_event()), time.now)
    with monkeypatch.context() as patch:
        patch.setattr(counting, "_add", lambda _taken: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            counting.flush()
    assert counting.flush() == 1
    assert ProducerMinute.objects.get().appended == 1


def test_a_lane_that_is_refused_for_long_is_found(time: Time) -> None:
    game = given_game("alpha")
    RefusedLane.objects.create(game=game, lane=Lane.BULK, since=time.now)
    assert found(producers.refusing, time.passes(seconds=5)) == []
    (refused,) = found(producers.refusing, time.passes(seconds=15))
    assert (refused.key, refused.value) == ("alpha/bulk", 20)


# -- players --------------------------------------------------------------------------------------------


def test_a_rule_that_fails_is_found_and_one_that_works_is_not() -> None:
    game = given_game("alpha")
    given_rule(game, slug="works")
    given_rule(game, slug="broken", condition="data.nothing > 1")
    given_levels(game, 1, 2)
    decide()
    (failing,) = found(notifications.rules_failing)
    assert (failing.key, failing.value, failing.game_id) == (f"{game.pk}/broken", 2, game.pk)
    assert found(notifications.rules_failing, later(minutes=11)) == []


@pytest.fixture
def urgent() -> Game:
    """Four players are connected, each with an urgent notification that no device has confirmed."""
    game = given_game("alpha")
    given_rule(game, slug="levels")
    given_levels(game, 1, 2)
    decide()
    model = Notification.objects.order_by("id")[0]
    event = given_events(game, an_event(), lane=Lane.URGENT)[0]
    before = Decision.objects.order_by("id")[0].event
    pk = (before.partition_id, event)
    del pk
    gateway = Gateway.objects.create(
        id=uuid.uuid4(), host="gw1", sockets=4, started=datetime.now(UTC), lease_until=later(minutes=10)
    )
    from events.models import Event  # noqa: PLC0415 - only here

    row = Event.objects.get(lane=Lane.URGENT, type="level.reached")
    for number in range(4):
        player = Player.objects.create(game=game, key=f"p{number}", head=1)
        Presence.objects.create(player=player, gateway=gateway, since=datetime.now(UTC) - timedelta(hours=1))
        Device.objects.create(player=player, name="tab", acked=0, seen=datetime.now(UTC))
        Notification.objects.create(
            uid=uuid.uuid4(), game=game, player=player, rule_id=model.rule_id, event=row, number=1, seq=1,
            notification_class="live", category="c", title="t", created=datetime.now(UTC),
        )  # fmt: skip
    return game


def test_urgent_notifications_that_reach_no_device_are_found(urgent: Game) -> None:
    assert found(notifications.undelivered) == []
    (missing,) = found(notifications.undelivered, later(seconds=30))
    assert (missing.key, missing.game_id) == ("alpha", urgent.pk)
    assert "4 urgent notifications of 4 connected players" in missing.text
    Device.objects.update(acked=1)
    assert found(notifications.undelivered, later(seconds=30)) == []


@pytest.mark.usefixtures("urgent")
def test_players_who_are_away_miss_nothing() -> None:
    Presence.objects.all().delete()
    assert found(notifications.undelivered, later(seconds=30)) == []


@pytest.mark.usefixtures("urgent")
def test_one_broken_client_is_no_outage() -> None:
    Device.objects.exclude(player__key="p0").update(acked=1)
    assert found(notifications.undelivered, later(seconds=30)) == []


@pytest.mark.usefixtures("urgent")
def test_no_gateway_is_found_while_somebody_should_be_connected() -> None:
    assert found(notifications.gateways, later(minutes=5)) == []
    Gateway.objects.update(lease_until=datetime.now(UTC))
    assert found(notifications.gateways, later(seconds=5)) == []
    (gone,) = found(notifications.gateways, later(minutes=5))
    assert "No gateway holds sockets." in gone.text
    assert found(notifications.gateways, later(hours=2)) == []


# -- a look -----------------------------------------------------------------------------------------------


def test_a_look_makes_alarms_of_what_the_rules_find(time: Time) -> None:
    given_letter(given_game("alpha"))
    sweep()
    Look().look(time.now)
    assert [(alarm.kind, alarm.key) for alarm in opened()] == [("dead_letters", "alpha")]


def test_a_kind_that_staff_switched_off_is_not_looked_at(time: Time) -> None:
    kinds.make_missing()
    kinds.AlarmLimit.objects.update(enabled=False)
    given_letter(given_game("alpha"))
    Look().look(time.now)
    assert opened() == []


def test_a_rule_that_fails_ends_no_alarm_and_is_an_alarm_itself(time: Time) -> None:
    given_letter(given_game("alpha"))
    sweep()
    look = Look()
    look.look(time.now)

    def broken(*_: Any) -> Any:
        raise KeyError

    rules = [
        looking.Rule(kinds=("dead_letters",), look=broken)
        if rule.kinds[0] == "dead_letters"
        else looking.Rule(kinds=rule.kinds, look=lambda *_: [])
        for rule in looking.RULES
    ]
    look.rules = rules
    for _ in range(20):
        look.look(time.passes(seconds=5))
    assert [alarm.kind for alarm in opened()] == ["dead_letters", "watch"]
    assert "dead_letters (KeyError)" in opened()[1].text
    look.rules = looking.RULES
    for _ in range(20):
        look.look(time.passes(seconds=5))
    assert "watch" not in [alarm.kind for alarm in opened()]


def test_of_many_processes_one_looks_at_a_time(time: Time) -> None:
    assert [Look().take_turn(time.now) for _ in range(5)] == [True, False, False, False, False]
    time.passes(seconds=4)
    assert not Look().take_turn(time.now)
    time.passes(seconds=1)
    assert [Look().take_turn(time.now) for _ in range(3)] == [True, False, False]


def test_a_turn_that_lies_ahead_is_taken_back(time: Time) -> None:
    heartbeats.beat(looking.TURN, time.now + timedelta(days=400))
    assert Look().take_turn(time.now)


def test_an_idle_look_costs_a_handful_of_queries_however_many_games_there_are(time: Time) -> None:
    """Each is a step in an index or a small table; a look every five seconds, by one process of all."""
    for _ in range(3):
        given_game()
    sweep()
    look = Look()
    look.take_turn(time.now - timedelta(seconds=5))
    look.asked.clear()
    with CaptureQueriesContext(connection) as all_due:
        look.take_turn(time.now)
    for _ in range(20):
        given_game()
    with CaptureQueriesContext(connection) as usual:
        look.take_turn(time.passes(seconds=5))
    with CaptureQueriesContext(connection) as not_ours:
        look.take_turn(time.now)
    assert len(all_due) <= IDLE_QUERIES_MAX, [query["sql"][:90] for query in all_due]
    assert len(usual) <= USUAL_QUERIES_MAX, [query["sql"][:90] for query in usual]
    assert len(not_ours) == 1, [query["sql"][:90] for query in not_ours]
    assert Heartbeat.objects.filter(name=looking.TURN).count() == 1


# -- deliveries, and what games send ------------------------------------------------------------------------


@pytest.fixture
def delivery(_no_channel_stays: None) -> Delivery:
    """A delivery that waits."""
    game = given_game("alpha")
    given_memory(game)
    return given_delivery(game)


@pytest.fixture
def _no_channel_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_channels", dict(registry._channels))


def test_deliveries_that_are_given_up_or_overdue_are_found(delivery: Delivery) -> None:
    assert found(notifications.deliveries) == []
    (late,) = found(notifications.deliveries, later(minutes=10))
    assert (late.kind, late.key, late.value >= 590) == ("deliveries_late", "alpha/memory", True)
    Delivery.objects.filter(pk=delivery.pk).update(state="dead", finished=datetime.now(UTC), error="http 410")
    (dead,) = found(notifications.deliveries)
    assert (dead.kind, dead.key, dead.value) == ("deliveries", "alpha/memory", 1)
    assert "given up within the last ten minutes, such as for: http 410." in dead.text
    assert found(notifications.deliveries, later(minutes=11)) == []


def test_what_a_game_server_repeats_is_counted_without_a_query_of_its_own() -> None:
    server = GameServer(given_game("alpha"))
    for _ in range(3):
        assert server.post(members(id="e1")).status_code in {200, 201}
    assert not ProducerMinute.objects.exists()  # not before the watch's next step
    counting.flush()
    counts = ProducerMinute.objects.aggregate(new=Sum("appended"), repeats=Sum("duplicates"))
    assert counts == {"new": 1, "repeats": 2}
