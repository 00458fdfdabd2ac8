"""Hubs, parked streams, the outbox, what is refused, alarms and who is told of them, files and room."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from config.doctor import files, telling, work
from config.doctor.finding import Level
from events import outbox, storage
from events.lanes import Lane
from events.models import Alarm, AlarmRecipient, Checkpoint, Game, RefusedLane, Retention
from events.storage import Forecast
from tests.config.doctor.conftest import NOBODY, SECRET, lines, looked
from tests.config.watch.conftest import mail  # noqa: F401 - a fixture
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.given import an_event, given_age, given_events, given_game, given_letter, hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def game(recording_hub: MakeHub) -> Game:  # noqa: F811 - the fixture
    """A game that one hub follows."""
    made = given_game("alpha", partitions=2)
    recording_hub()
    return made


def test_hubs_that_have_done_everything_are_fine(game: Game) -> None:
    given_events(game, an_event())
    hubs_catch_up()
    assert lines(work.Hubs()) == ["ok: 1 hubs follow; 0 events wait"]


def test_a_hub_that_stands_still_fails_with_lane_number_and_age(game: Game) -> None:
    given_events(game, *[an_event(stream=f"s{n}") for n in range(20)])
    given_age(seconds=60)
    (found,) = looked(work.Hubs())
    assert found.level is Level.FAIL
    assert found.text.startswith(
        "the hub recorder in the normal lane stands still in 2 partitions; 20 events wait"
    )
    assert "Hub stalled" in found.advice
    assert found.values["events"] == 20


@pytest.mark.usefixtures("game")
def test_a_hub_that_is_paused_is_a_warning() -> None:
    Checkpoint.objects.filter(lane=Lane.BULK).update(paused=True)
    (found,) = looked(work.Hubs())
    assert (found.level, "in the bulk lane is paused in 2 partitions" in found.text) == (Level.WARN, True)


def test_a_lane_that_is_late_is_a_warning_by_the_alarm_s_limit(game: Game) -> None:
    given_events(game, an_event(), lane=Lane.URGENT)
    given_age(seconds=4)
    late, _ = looked(work.Hubs())
    assert (late.level, "is late" in late.text, late.advice) == (
        Level.WARN, True, "docs/runbook.md, Urgent lane late",
    )  # fmt: skip


@pytest.mark.usefixtures("game")
def test_a_partition_that_a_hub_does_not_follow_fails() -> None:
    Checkpoint.objects.filter(lane=Lane.NORMAL).first().delete()
    assert "fail: the hub recorder follows 1 of 2 partitions in the normal lane" in lines(work.Hubs())


def test_parked_streams_are_told_by_their_cause_and_no_player_is_named() -> None:
    assert lines(work.DeadLetters()) == ["ok: no stream is parked"]
    game = given_game("alpha")
    given_letter(game)
    given_letter(game, "bob")
    (found,) = looked(work.DeadLetters())
    assert found.level is Level.WARN
    assert found.text.startswith("2 streams of the hub decisions are parked: KeyError, since ")
    assert "bob" not in found.text
    assert "mallory" not in found.text


def test_an_outbox_that_waits_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lines(work.Outbox())[0].startswith("ok: ")
    monkeypatch.setattr(outbox, "flush", lambda *_: 0)
    outbox.write(
        game_id=given_game("alpha").pk, event_id="staff:1", type="staff.tried", stream="staff", data={}
    )
    outbox.OutboxEvent.objects.update(created=datetime.now(UTC) - timedelta(minutes=2))
    (found,) = looked(work.Outbox())
    assert (found.level, "the oldest, of alpha" in found.text) == (Level.WARN, True)


def test_a_lane_that_is_refused_is_a_warning() -> None:
    assert lines(work.Refusals()) == ["ok: no lane is refused"]
    RefusedLane.objects.create(game=given_game("alpha"), lane=Lane.BULK, since=datetime.now(UTC))
    assert lines(work.Refusals())[0].startswith("warn: events of the bulk lane of alpha are refused since ")


def test_open_alarms_are_summed_up_by_kind_and_never_fail() -> None:
    assert lines(work.OpenAlarms()) == ["ok: no alarm is open"]
    now = datetime.now(UTC)
    for key in ("a", "b"):
        Alarm.objects.create(
            kind="hub_stalled", key=key, severity="critical", since=now, noticed=now, opened=now, last_seen=now,
            value=1, worst=1, limit=1, text=SECRET, url="/",
        )  # fmt: skip
    (found,) = looked(work.OpenAlarms())
    assert found.level is Level.WARN
    assert found.text.startswith("2 critical alarm: Hub stalled, since ")
    assert SECRET not in found.text


def recipient(**fields: Any) -> AlarmRecipient:
    given = {
        "name": "on-call",
        "channel": "webhook",
        "address": f"https://ops.example/{SECRET}",
        "salt": b"s" * 32,
    }
    return AlarmRecipient.objects.create(**given | fields)


def test_nobody_who_is_told_is_a_warning_and_somebody_is_enough() -> None:
    assert lines(telling.Recipients())[0].startswith("warn: nobody is told of alarms of all games")
    recipient()
    assert lines(telling.Recipients()) == ["ok: 1 recipients are told of alarms"]


def test_somebody_who_is_told_of_one_game_only_is_not_enough() -> None:
    recipient().games.add(given_game("alpha"))
    assert lines(telling.Recipients())[0].startswith("warn: nobody is told of alarms of all games")


def test_a_recipient_whom_nothing_reaches_is_named_without_the_address() -> None:
    recipient(failing=datetime.now(UTC), error="answered 410")
    (found,) = looked(telling.Recipients())
    assert (found.level, "have not reached on-call since" in found.text) == (Level.WARN, True)
    assert SECRET not in found.text


def test_e_mails_without_a_mail_server_fail(settings: Settings) -> None:
    settings.CLARION_EMAIL = False
    recipient(channel="email", address="olive@ops.example")
    assert "fail: on-call is told by e-mail, and EMAIL_URL is not set" in lines(telling.Recipients())


def test_a_mail_server_is_logged_in_to_and_nothing_is_sent(mail: Any) -> None:  # noqa: F811 - the fixture
    assert lines(telling.Mail()) == ["ok: the mail server lets us in"]
    assert not mail.letters


def test_a_mail_server_that_is_not_there_fails(settings: Settings) -> None:
    settings.CLARION_EMAIL, settings.EMAIL_BACKEND = True, "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_HOST_PASSWORD = "127.0.0.1", NOBODY, SECRET
    (found,) = looked(telling.Mail())
    assert (found.level, "nothing listens there" in found.text) == (Level.FAIL, True)
    assert SECRET not in found.text


def test_links_are_asked_for_once_something_is_sent(settings: Settings) -> None:
    assert lines(telling.Console())[0].startswith("ok: ")
    recipient()
    assert lines(telling.Console())[0].startswith("warn: alarms that are sent name paths only")
    settings.CLARION_CONSOLE_URL = "https://clarion.example.com"
    assert lines(telling.Console()) == ["ok: alarms lead to https://clarion.example.com"]


def test_static_files_that_were_not_collected_or_are_gone_fail(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path
    assert lines(files.Static())[0].startswith("fail: there are no collected static files")
    manifest = tmp_path / "staticfiles.json"
    manifest.write_text(json.dumps({"paths": {"clarion/clarion.js": "clarion.1.js", "a.css": "a.1.css"}}))
    (tmp_path / "a.1.css").touch()
    assert lines(files.Static())[0].startswith("fail: 1 of 2 static files are gone")
    (tmp_path / "clarion.1.js").touch()
    assert lines(files.Static()) == ["ok: 2 static files are collected"]
    manifest.write_text(json.dumps({"paths": {"a.css": "a.1.css"}}))
    assert lines(files.Static()) == ["fail: the JavaScript client was not collected"]


@pytest.mark.parametrize(
    ("growth", "limit", "said"),
    [
        (0, 10 << 30, "ok: the database takes 1 GiB, 9 GiB of 10 GiB are left"),
        (
            3 << 30,
            10 << 30,
            "warn: the database takes 1 GiB, 9 GiB of 10 GiB are left, which will do for 3 days",
        ),
        (0, (1 << 30) + 1, "warn: the database takes 1 GiB, 1 B of 1 GiB are left"),
        (0, None, "warn: the database takes 1 GiB; how much it may take is not known"),
    ],
)
def test_a_disk_that_fills_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, growth: int, limit: int | None, said: str
) -> None:
    there = Forecast(used=1 << 30, growth_per_day=growth, limit=limit, events_per_day=None)
    monkeypatch.setattr(storage, "forecast", lambda: there)
    assert lines(files.Disk()) == [said]


def test_exports_that_are_wanted_must_have_a_place(settings: Settings, tmp_path: Path) -> None:
    assert lines(files.Exports()) == ["ok: no game asks for exports"]
    Retention.objects.create(game=given_game("alpha"), export=True)
    settings.CLARION_EXPORT = ""
    assert lines(files.Exports())[0].startswith("fail: 1 games want an export")
    settings.CLARION_EXPORT = str(tmp_path / "not-made-yet")
    assert lines(files.Exports())[0].startswith("ok: 1 games export payloads")
    assert list(tmp_path.iterdir()) == []
    settings.CLARION_EXPORT = f"no.such.Storage?secret={SECRET}"
    (found,) = looked(files.Exports())
    assert (found.level, SECRET in found.text) == (Level.FAIL, False)
