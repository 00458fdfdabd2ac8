"""Alarms in the console: on top and in plain words, acknowledged and muted on record, one click from what to do."""

from typing import Any
from unittest.mock import ANY

import pytest
from django.urls import reverse
from prometheus_client import CollectorRegistry, generate_latest

from config import metrics
from config.console import pulse
from events.models import Alarm, AlarmLimit, AlarmMute, AlarmRecipient, OutboxEvent
from events.webhooks import secret_of, shown
from tests.config.watch.conftest import Time, letters, opened, somebody
from tests.config.watch.test_telling import kinds_of
from tests.events.webhooks.receiver import Receiver
from tests.given import given_game
from tests.staff import address, olive, said, text, vera

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("inside")]


@pytest.fixture
def alarm(time: Time) -> Alarm:
    time.finds(letters(key="alpha", game_id=given_game("alpha").pk))
    return opened()[0]


def noted() -> list[str]:
    return list(OutboxEvent.objects.order_by("id").values_list("type", flat=True))


def test_open_alarms_are_on_top_with_what_they_mean_and_what_to_do(time: Time) -> None:
    time.finds(letters(key="old"))
    time.passes(seconds=61)
    time.finds(letters(key="new"))
    console = olive()
    assert [row.key for row in console.rows("events_alarm")] == ["new", "old"]
    page = text(console.page(opened()[0]))
    for words in (
        "get nothing of that lane",
        "3 streams were parked.",
        "/admin/runbook/#dead-letters-growing",
    ):
        assert words in page


def test_a_suspicion_is_not_shown(time: Time) -> None:
    time.finds(letters())
    Alarm.objects.update(opened=None)
    assert olive().rows("events_alarm") == []


def test_acknowledging_is_noted_and_stops_the_repeats(alarm: Alarm, time: Time, receiver: Receiver) -> None:
    somebody(receiver.url)
    time.tells()
    console = olive()
    answer = console.post(
        address(alarm, "acknowledge_this"), {"confirmed": "1", "reason": "on it"}, follow=True
    )
    assert said(answer) == ["Acknowledged 1 alarm."]
    time.passes(days=1)
    time.tells()
    assert kinds_of(receiver) == ["opened"]
    alarm.refresh_from_db()
    assert (alarm.acknowledged_by, alarm.note) == ("olive", "on it")
    assert noted() == ["staff.alarm.acknowledged"]
    assert "Acknowledge…" not in text(console.page(alarm))


def test_muting_is_noted_and_keeps_it_in_the_house(alarm: Alarm, time: Time, receiver: Receiver) -> None:
    somebody(receiver.url)
    console = olive()
    form = console.get(address(alarm, "mute_this"))
    assert form.status_code == 302
    fields = {"kind": alarm.kind, "key": alarm.key, "hours": "4", "reason": "planned work"}
    assert console.post(form["Location"], fields).status_code == 302
    assert (AlarmMute.objects.get().by, AlarmMute.objects.get().key) == ("olive", "alpha")
    time.tells()
    assert receiver.calls == []
    assert "planned work" in text(console.page(alarm))
    console.post(address(AlarmMute.objects.get(), "delete"), {"post": "yes"})
    time.tells()
    assert kinds_of(receiver) == ["opened"]
    assert noted() == ["staff.alarm.muted", "staff.alarm.unmuted"]


def test_who_only_looks_can_neither_acknowledge_nor_mute_nor_test(alarm: Alarm, receiver: Receiver) -> None:
    row = somebody(receiver.url)
    console = vera()
    for path in (address(alarm, "acknowledge_this"), address(row, "send_a_test"), address(row, "renew")):
        assert console.post(path, {"confirmed": "1", "reason": "because"}).status_code == 403
    assert console.get(reverse("admin:events_alarmmute_add")).status_code == 403
    assert receiver.calls == []
    alarm.refresh_from_db()
    assert alarm.acknowledged is None


def test_a_limit_is_changed_within_reason_and_on_record() -> None:
    given_game("alpha")
    console = olive()
    console.listed("events_alarmlimit")
    row = AlarmLimit.objects.get(kind="duplicates")
    refused = console.post(address(row), {"limit": "250", "severity": "", "enabled": "on"})
    assert "It takes 1 to 100 %." in text(refused)
    assert (
        console.post(address(row), {"limit": "35", "severity": "critical", "enabled": "on"}).status_code
        == 302
    )
    row.refresh_from_db()
    assert (row.limit, row.severity) == (35, "critical")
    assert noted() == ["staff.alarm_limit.saved"]


def recipient_form(**fields: str) -> dict[str, str]:
    return {"name": "on-call", "channel": "webhook", "severity": "warning", "enabled": "on", **fields}


def test_a_recipient_is_tried_out_and_its_secret_is_shown_once(receiver: Receiver) -> None:
    console = olive()
    made = console.post(reverse("admin:events_alarmrecipient_add"), recipient_form(address=receiver.url))
    row = AlarmRecipient.objects.get()
    secret = shown(secret_of(bytes(row.salt)))
    assert secret in text(made)
    assert "no-store" in made["Cache-Control"]
    assert secret not in text(console.page(row))
    answer = console.post(address(row, "send_a_test"), {}, follow=True)
    assert said(answer) == ["on-call has taken the test message."]
    assert receiver.calls[0].fits(secret)


def test_a_new_secret_signs_at_once_is_shown_once_and_is_on_record(receiver: Receiver) -> None:
    console = olive()
    console.post(reverse("admin:events_alarmrecipient_add"), recipient_form(address=receiver.url))
    row = AlarmRecipient.objects.get()
    former = shown(secret_of(bytes(row.salt)))
    made = console.post(address(row, "renew"), {"reason": "somebody left"})
    row.refresh_from_db()
    secret = shown(secret_of(bytes(row.salt)))
    assert secret != former
    assert secret in text(made)
    assert secret not in text(console.page(row))
    console.post(address(row, "send_a_test"), {})
    assert receiver.calls[-1].fits(secret)


def test_who_is_told_by_mail_has_no_secret() -> None:
    row = AlarmRecipient.objects.create(
        name="mail", channel="email", address="olive@ops.example", salt=b"s" * 32
    )
    assert "New secret" not in text(olive().page(row))


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"address": "http://169.254.169.254/latest"}, "not on the public Internet"),
        ({"channel": "email", "address": "olive@ops.example"}, "EMAIL_URL is not set"),
    ],
)
def test_an_address_that_cannot_be_reached_is_refused(fields: dict[str, str], why: str) -> None:
    answer = olive().post(reverse("admin:events_alarmrecipient_add"), recipient_form(**fields))
    assert why in text(answer)
    assert not AlarmRecipient.objects.exists()


def test_a_way_that_fails_is_told_on_the_screen(time: Time, receiver: Receiver) -> None:
    console = olive()
    assert "Nobody is told of alarms" in text(console.listed("events_alarm"))
    receiver.status = 503
    somebody(receiver.url, name="on-call")
    time.finds(letters())
    time.tells()
    assert "on-call does not hear Clarion: the endpoint answered 503" in text(console.listed("events_alarm"))


def test_the_front_page_and_the_metrics_tell_open_alarms(time: Time) -> None:
    given = letters(key="alpha")
    time.finds(given, _stalled())
    time.passes(seconds=10)
    time.finds(given, _stalled())
    pulse.forget()
    stalled = Alarm.objects.get(kind="hub_stalled")
    told = {each["text"]: each["url"] for each in pulse.measure()["warnings"]}
    assert told == {"The hub decisions stands still.": address(stalled)}
    assert gauges() == {"hub_stalled": 1, "dead_letters": 1}
    Alarm.objects.update(ended=time.now)
    pulse.forget()
    assert pulse.measure()["warnings"] == []
    assert gauges() == {}


def _stalled() -> Any:
    from config.watch.conditions import Condition  # noqa: PLC0415 - only here

    return Condition(
        kind="hub_stalled", value=20, limit=15, text="The hub decisions stands still.", url="/admin/"
    )


def gauges() -> dict[str, float]:
    """The kinds of which any is open, as Prometheus is told."""
    registry = CollectorRegistry()
    registry.register(metrics.State())
    assert b'clarion_alarms{kind="disk"} 0.0' in generate_latest(registry)
    found = [family for family in registry.collect() if family.name == "clarion_alarms"]
    return {sample.labels["kind"]: sample.value for sample in found[0].samples if sample.value}


def test_the_runbook_opens_in_the_console_for_staff_only() -> None:
    response = vera().get(reverse("runbook"))
    assert (response.status_code, 'id="hub-stalled"' in text(response)) == (200, True)
    from django.test import Client  # noqa: PLC0415 - nobody is logged in

    assert Client().get(reverse("runbook")).status_code == 302
    assert response.context["title"] == ANY
