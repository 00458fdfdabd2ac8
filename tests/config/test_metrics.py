"""What Prometheus is told: lag, heads, dead letters, outbox, sockets, and the counters of all processes."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import OperationalError, transaction
from django.test import AsyncClient
from django.utils import timezone
from prometheus_client import CollectorRegistry, generate_latest

from config import metrics
from events import outbox
from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.models import RefusedLane
from notifications.delivery import outlets
from notifications.models.deliveries import State
from players import presence
from players.models import Gateway
from tests.config.processes import finished
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.delivery.test_operating import given_rows

pytestmark = pytest.mark.django_db(transaction=True)
LINE = re.compile(r"^(clarion_\w+(?:\{[^}]*\})?) (\S+)$", re.MULTILINE)


def told() -> dict[str, float]:
    """Return the gauges by name and labels."""
    registry = CollectorRegistry()
    registry.register(metrics.State())
    return {name: float(value) for name, value in LINE.findall(generate_latest(registry).decode())}


def test_waiting_work_shows_as_lag_of_its_hub_and_lane(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    game = given_game(partitions=4)
    recording_hub()
    given_events(game, *[an_event(stream=f"s{n}") for n in range(40)], lane=Lane.BULK)
    before = told()
    assert before['clarion_lag_partitions{hub="recorder",lane="bulk"}'] == 4
    assert before['clarion_lag_seconds{hub="recorder",lane="bulk"}'] > 0
    assert before['clarion_lag_partitions{hub="recorder",lane="urgent"}'] == 0
    hubs_catch_up()
    after = told()
    assert after['clarion_lag_partitions{hub="recorder",lane="bulk"}'] == 0
    assert after['clarion_lag_seconds{hub="recorder",lane="bulk"}'] == 0


def test_heads_are_those_of_the_log() -> None:
    game = given_game("alpha", partitions=1)
    given_game("beta", partitions=1)
    given_events(game, an_event(), an_event())
    given_events(game, an_event(), lane=Lane.URGENT)
    found = told()
    assert found['clarion_log_events{game="alpha"}'] == 3
    assert found['clarion_log_events{game="beta"}'] == 0
    assert found['clarion_lane_head{game="alpha",lane="normal",partition="0"}'] == 2
    assert found['clarion_lane_head{game="alpha",lane="urgent",partition="0"}'] == 3
    assert found['clarion_lane_head{game="alpha",lane="bulk",partition="0"}'] == 0


def test_a_parked_stream_is_counted(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    def poison(_event: LoggedEvent) -> None:
        raise ValueError

    game = given_game()
    recording_hub(on_apply=poison)
    assert told()["clarion_dead_letters"] == 0
    given_events(game, an_event(stream="poisoned"))
    hubs_catch_up()
    assert told()["clarion_dead_letters"] == 1


def test_own_events_that_are_not_in_the_log_yet_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    game = given_game()
    with monkeypatch.context() as patched, transaction.atomic():
        patched.setattr(outbox, "_flush_soon", lambda: None)  # as if the process had ended at commit
        outbox.write(game_id=game.id, event_id="claim:1", type="reward.claimed", stream="alice", data={})
    assert told()["clarion_outbox_events"] == 1
    outbox.flush()
    assert told()["clarion_outbox_events"] == 0


def test_sockets_of_living_gateways_are_counted_together() -> None:
    first, second, gone = (uuid.uuid4() for _ in range(3))
    presence.renew(first, "a", 3)
    presence.renew(second, "b", 4)
    presence.renew(gone, "c", 100)
    Gateway.objects.filter(pk=gone).update(lease_until=datetime.now(UTC) - timedelta(seconds=1))
    assert told()["clarion_sockets"] == 7


def test_a_database_that_is_away_is_told_and_leaves_the_rest_out(monkeypatch: pytest.MonkeyPatch) -> None:
    given_game("alpha")
    assert told()["clarion_database_up"] == 1

    def away() -> None:
        raise OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(metrics, "_outbox", away)
    assert {name.partition("{")[0] for name in told()} == {"clarion_database_up", "clarion_breaker_state"}
    assert told()["clarion_database_up"] == 0


async def test_one_answer_holds_what_is_so_and_what_was_counted() -> None:
    answer = await AsyncClient().get("/metrics")
    assert answer["Content-Type"].startswith("text/plain; version=")
    said = answer.content.decode()
    assert "clarion_database_up 1.0" in said
    assert "clarion_hints_sent_total" in said
    assert "clarion_hub_transient_faults_total" in said


def test_processes_that_share_a_folder_are_told_as_one(tmp_path: Path) -> None:
    """Also before the database is migrated: that it is not usable is told, and the counters are there."""
    folder, counters = tmp_path / "data", tmp_path / "counters"
    counters.mkdir()
    environment = {"CLARION_DATA": str(folder), "PROMETHEUS_MULTIPROC_DIR": str(counters)}
    worker = (
        "import django; django.setup(); from events import hints; hints.sent.labels('urgent').inc({count})"
    )
    for count in (2, 3):
        done = finished(
            "-c", worker.format(count=count), DJANGO_SETTINGS_MODULE="config.settings", **environment
        )
        assert done.returncode == 0, done.stderr
    scrape = (
        "import django; django.setup(); from config import health, metrics; assert metrics.many_processes()\n"
        "print(health._metrics().decode())"
    )
    said = finished("-c", scrape, DJANGO_SETTINGS_MODULE="config.settings", **environment).stdout
    assert 'clarion_hints_sent_total{lane="urgent"} 5.0' in said
    assert "clarion_database_up 0.0" in said


def test_a_games_lag_is_its_slowest_hubs_and_what_is_refused_is_told(recording_hub: MakeHub) -> None:  # noqa: F811 - the fixture
    game = given_game("alpha", partitions=2)
    recording_hub("fast")
    recording_hub("slow")
    given_events(game, *[an_event() for _ in range(7)], lane=Lane.BULK)
    hubs_catch_up(["fast"])
    RefusedLane.objects.create(game=game, lane=Lane.BULK, since=timezone.now())
    found = told()
    assert found['clarion_game_lag_events{game="alpha",lane="bulk"}'] == 7
    assert found['clarion_game_lag_events{game="alpha",lane="urgent"}'] == 0
    assert found['clarion_game_lag_seconds{game="alpha",lane="bulk"}'] > 0
    assert found['clarion_lag_events{hub="slow",lane="bulk"}'] == 7
    assert found['clarion_lag_events{hub="fast",lane="bulk"}'] == 0
    assert found['clarion_lane_refused{game="alpha",lane="bulk"}'] == 1


def test_what_waits_for_other_channels_is_told_by_game_and_channel() -> None:
    game, idle = given_game("alpha"), given_game("beta")
    for each in (game, idle):
        outlets.put(each.id, "memory", enabled=True)
    (first,) = given_rows(game, 1, State.WAITING, created=ago(90), due_at=ago(30))
    given_rows(game, 1, State.SENDING, due_at=ago(-60))
    given_rows(game, 2, State.DEAD)
    found = told()
    assert found['clarion_deliveries_waiting{channel="memory",game="alpha"}'] == 2
    assert found['clarion_deliveries_oldest_seconds{channel="memory",game="alpha"}'] >= 90
    assert 30 <= found['clarion_deliveries_overdue_seconds{channel="memory",game="alpha"}'] < 90
    assert found['clarion_deliveries_waiting{channel="memory",game="beta"}'] == 0
    assert found['clarion_deliveries_oldest_seconds{channel="memory",game="beta"}'] == 0
    first.delete()
    assert told()['clarion_deliveries_overdue_seconds{channel="memory",game="alpha"}'] == 0  # it is leased


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)
