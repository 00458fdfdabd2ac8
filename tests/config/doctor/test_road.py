"""The road of the doctor's own event: its game, its turn, and what each stage means that was not reached."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command

from config.doctor.finding import Level
from config.doctor.road import checks, game, inside, outside, stages
from config.doctor.road.stages import Stages
from events import keys
from events.errors import LogUnavailable, Unauthorized
from events.models import ApiKey, Event, EventType, Game, Heartbeat, Partition, Retention
from notifications.models import Decision, Notification, Rule
from players.models import Player
from tests.config.doctor.conftest import lines, looked
from tests.given import given_game

pytestmark = pytest.mark.django_db(transaction=True)
ROAD = (stages.POSTED, stages.DECIDED, stages.PUSHED, stages.ACKED)


def test_the_game_is_made_once_and_used_again() -> None:
    first, again = game.install(), game.install()
    assert first.pk == again.pk
    assert (Game.objects.count(), Partition.objects.count()) == (1, 1)
    assert (EventType.objects.count(), Rule.objects.count(), Retention.objects.count()) == (1, 1, 1)
    assert Rule.objects.get().revisions.count() == 1


def test_what_staff_changed_in_it_is_put_right() -> None:
    made = game.install()
    Rule.objects.filter(game=made).update(enabled=False, ttl_s=None, notification_class="inbox")
    game.install()
    rule = Rule.objects.get(game=made)
    assert (rule.enabled, rule.ttl_s, rule.notification_class) == (True, game.TTL_S, "live")


def test_nobody_else_can_make_a_game_of_that_name() -> None:
    with pytest.raises((CommandError, ValidationError)):
        call_command("creategame", game.SLUG)
    assert not Game.objects.exists()


def test_its_key_is_good_only_meanwhile_and_one_row_for_every_run() -> None:
    made, secrets = game.install(), set()
    for _ in range(2):
        with game.key(made) as secret:
            assert keys.verify(f"Bearer {secret}").game_id == made.pk
            assert ApiKey.objects.get().expires <= datetime.now(UTC) + game.KEY_LIVES
        with pytest.raises(Unauthorized):
            keys.verify(f"Bearer {secret}")
        secrets.add(secret)
    assert len(secrets) == 2
    assert ApiKey.objects.count() == 1


def test_one_doctor_at_a_time_and_one_that_was_killed_is_forgotten() -> None:
    with game.turn():
        assert lines(checks.Road()) == ["not_run: another doctor follows an event at this moment"]
    with game.turn():
        pass
    Heartbeat.objects.create(name=game.TURN, at=datetime.now(UTC) - timedelta(minutes=5))
    with game.turn():
        pass
    assert not Heartbeat.objects.exists()


@pytest.mark.usefixtures("decided_at_once")
def test_inside_it_is_appended_and_decided_and_touches_no_other_game(services: bool) -> None:
    theirs = given_game("alpha")
    found = looked(checks.Road())
    assert [each.level for each in found] == [Level.OK] * (3 if services else 2) + [Level.NOT_RUN]
    assert found[0].text.startswith("posted   after ")
    assert found[1].text.startswith("decided  after ")
    event = Event.objects.get()
    assert (event.game.slug, event.type, event.source) == (game.SLUG, game.TYPE, "clarion:doctor")
    assert Decision.objects.get().event_id == event.pk
    assert not Player.objects.filter(game=theirs).exists()
    notification = Notification.objects.get()
    assert notification.notification_class == "live"  # never in an inbox
    assert notification.expires <= datetime.now(UTC) + timedelta(seconds=game.TTL_S)


def test_nobody_who_processes_it_fails_and_says_whom_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "DECIDED_S", 0.1)
    posted, lost, _ = looked(checks.Road())
    assert posted.level is Level.OK
    assert (lost.level, lost.text) == (Level.FAIL, "no hub has processed the event")
    assert "worker-urgent" in lost.advice


def test_a_log_that_takes_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise LogUnavailable("LockNotAvailable")

    monkeypatch.setattr(inside.log, "append_own", refuse)
    assert lines(checks.Road())[0] == "fail: the event was not taken: LogUnavailable"


def reached(**ms: float) -> Stages:
    return Stages(reached=ms)


def test_every_stage_is_told_with_its_time() -> None:
    found = list(stages.told(reached(posted=5, decided=20, pushed=25, acked=200), ROAD))
    assert [each.level for each in found] == [Level.OK] * 4
    assert [value for each in found for value in each.values.items()] == [
        ("posted_ms", 5), ("decided_ms", 20), ("pushed_ms", 25), ("acked_ms", 200),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("told", "level", "about"),
    [
        ({}, Level.FAIL, "database.reachable"),
        ({"posted": 5}, Level.FAIL, "worker-urgent"),
        ({"posted": 5, "decided": 20}, Level.FAIL, "WebSockets"),
        ({"posted": 5, "decided": 20, "pushed": 25}, Level.FAIL, "gateways' logs"),
        ({"posted": 5, "decided": 1_500, "pushed": 1_510, "acked": 1_700}, Level.WARN, "workers.urgent"),
        ({"posted": 5, "decided": 20, "pushed": 1_100, "acked": 1_300}, Level.WARN, "redis.pubsub"),
        ({"posted": 1_200, "decided": 1_220, "pushed": 1_230, "acked": 1_300}, Level.WARN, "fsync"),
    ],
)
def test_a_stage_that_is_late_or_not_reached_says_what_to_look_at(
    told: dict[str, float], level: Level, about: str
) -> None:
    (bad,) = [each for each in stages.told(reached(**told), ROAD) if each.level is not Level.OK]
    assert (bad.level, about in bad.advice) == (level, True)


def test_what_was_pushed_was_decided_before() -> None:
    progress = Stages()
    progress.note("posted")
    progress.note("decided", progress.began + 0.5)
    progress.note("pushed", progress.began + 0.4)
    assert progress.reached["decided"] == progress.reached["pushed"] == 400


@pytest.mark.parametrize(
    ("status", "about"),
    [
        (401, "DATABASE_URL"),
        (400, "CLARION_ALLOWED_HOSTS"),
        (301, "X-Forwarded-Proto"),
        (404, "forward /api/"),
        (429, "Back-pressure refusing"),
        (503, "Database away"),
        (500, "logs"),
    ],
)
def test_an_api_that_refuses_is_told_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, status: int, about: str
) -> None:
    answered = httpx.MockTransport(lambda _request: httpx.Response(status))
    real = httpx.Client
    monkeypatch.setattr(outside.httpx, "Client", lambda **options: real(transport=answered, **options))
    (found, *_) = looked(checks.Road(), url="https://clarion.example.com")
    assert (found.level, f"with {status}" in found.text, about in found.advice) == (Level.FAIL, True, True)
    assert ApiKey.objects.get().revoked


def test_a_gateway_that_remembers_another_history_fails() -> None:
    made = game.install()
    assert outside._epoch({"epoch": made.epoch_name}, made).level is Level.OK
    stale = outside._epoch({"epoch": "e999"}, made)
    assert (stale.level, "restart the web processes" in stale.advice) == (Level.FAIL, True)


class Socket:
    """A player's socket that says these frames and ends."""

    def __init__(self, *frames: str) -> None:
        self._frames, self.sent = frames, list[str]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._frames)

    def send(self, text: str) -> None:
        self.sent.append(text)


def test_only_its_own_question_is_taken_for_the_answer() -> None:
    frame = '{"type":"changes","from":1,"to":%d,"unread":0,"items":[{"title":"%s"}]}'
    player = outside.Player(Socket(frame % (2, "q-other")), "q-mine")
    player.listen()
    assert not player.heard.is_set()
    player = outside.Player(Socket(frame % (2, "q-other"), frame % (3, "q-mine")), "q-mine")
    began = time.perf_counter()
    player.listen()
    assert (player.heard.is_set(), player.seq, player.at >= began) == (True, 3, True)


@pytest.mark.parametrize(("off_s", "level"), [(0, Level.OK), (-30, Level.FAIL), (30, Level.FAIL)])
def test_a_server_whose_clock_is_wrong_fails_by_what_its_socket_says(off_s: int, level: Level) -> None:
    socket = Socket()
    player = outside.Player(socket, "q")
    now = datetime.now(UTC)
    player.pong = (now + timedelta(seconds=off_s), now + timedelta(seconds=1))
    player.ponged.set()
    (found,) = outside._clock(socket, player, "https://clarion.example.com")
    assert found.level is level
    assert socket.sent == ['{"type":"ping"}']
