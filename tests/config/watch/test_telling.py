"""Alarms leave the console: signed or by e-mail, until somebody acknowledges, and once more when it is over."""

import json
import threading
from datetime import datetime
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import pytest

from config.watch import channels, telling
from config.watch import telling as module
from config.watch.messages import Message
from events.models import Alarm, AlarmMute, AlarmRecipient, AlarmTelling
from events.webhooks import Answer, Verdict, secret_of, shown
from tests.config.watch.conftest import Time, late, letters, opened, somebody
from tests.config.watch.mail_server import MailServer
from tests.events.webhooks.receiver import Receiver
from tests.given import given_game

PATIENCE_S = 30
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("inside")]


def bodies(receiver: Receiver) -> list[dict[str, Any]]:
    return [json.loads(call.body) for call in receiver.calls]


def kinds_of(receiver: Receiver) -> list[str]:
    return [body["type"].removeprefix("alarm.") for body in bodies(receiver)]


def test_an_alarm_arrives_signed_with_what_one_needs_to_act(
    time: Time, receiver: Receiver, settings: Any
) -> None:
    settings.CLARION_CONSOLE_URL = "https://clarion.example"
    ops = somebody(receiver.url)
    time.finds(letters(key="alpha"))
    assert time.tells() == 1
    (call,) = receiver.calls
    assert call.fits(shown(secret_of(bytes(ops.salt))))
    (alarm,) = opened()
    assert call.headers["webhook-id"] == f"alarm_{alarm.uid.hex}_1"
    body = json.loads(call.body)
    assert body["type"] == "alarm.opened"
    told = body["data"]
    assert (told["title"], told["severity"]) == ("Dead letters growing (alpha)", "warning")
    assert (told["value"], told["limit"], told["text"]) == (3, 0, "3 streams were parked.")
    assert told["since"] == alarm.since.isoformat(timespec="seconds")
    assert told["runbook"] == "https://clarion.example/admin/runbook/#dead-letters-growing"
    assert told["url"] == f"https://clarion.example/admin/events/alarm/{alarm.pk}/change/"


def test_an_alarm_arrives_by_mail(time: Time, mail: MailServer) -> None:
    somebody("olive@ops.example", "email")
    time.finds(letters(key="alpha"))
    time.tells()
    (letter,) = mail.letters
    (alarm,) = opened()
    assert letter["Subject"] == "[Clarion] Dead letters growing (alpha)"
    assert (letter["From"], letter["To"]) == ("Clarion <clarion@ops.example>", "olive@ops.example")
    assert letter["Message-ID"] == f"<alarm_{alarm.uid.hex}_1@ops.example>"
    assert "3 streams were parked." in letter.get_content()
    assert "/admin/runbook/#dead-letters-growing" in letter.get_content()
    assert mail.recipients == ["rcpt TO:<olive@ops.example>"]


def test_it_is_repeated_until_somebody_acknowledges(time: Time, receiver: Receiver) -> None:
    somebody(receiver.url)
    time.finds(late())
    time.passes(seconds=10)
    time.finds(late())
    minutes = []
    for minute in range(0, 24 * 60, 5):
        if time.tells():
            minutes.append(minute)
        time.passes(minutes=5)
    assert minutes[:6] == [0, 5, 20, 35, 65, 125]
    assert {later - earlier for earlier, later in pairwise(minutes[5:])} == {60}
    assert kinds_of(receiver)[:3] == ["opened", "repeated", "repeated"]
    assert len(set(receiver.ids)) == len(receiver.ids)

    Alarm.objects.update(acknowledged=time.now, acknowledged_by="olive")
    before = len(receiver.calls)
    for _ in range(100):
        time.passes(minutes=30)
        time.tells()
    assert len(receiver.calls) == before


@pytest.mark.parametrize("acknowledged", [True, False])
def test_one_message_says_that_it_is_over(time: Time, receiver: Receiver, acknowledged: bool) -> None:
    somebody(receiver.url)
    time.finds(letters())
    time.tells()
    if acknowledged:
        Alarm.objects.update(acknowledged=time.now)
    time.passes(seconds=60)
    time.finds()
    for _ in range(5):
        time.tells()
        time.passes(minutes=60)
    assert kinds_of(receiver) == ["opened", "ended"]
    assert receiver.ids[1] == f"alarm_{Alarm.objects.get().uid.hex}_end"


def test_a_receiver_can_tell_what_belongs_to_one_alarm(time: Time, receiver: Receiver) -> None:
    """Each message has an id of its own, to drop it when it comes again; all name their alarm."""
    somebody(receiver.url)
    time.finds(letters())
    time.tells()
    time.passes(minutes=61)
    time.finds(letters())
    time.tells()
    time.passes(seconds=60)
    time.finds()
    time.tells()
    time.passes(hours=1)
    time.finds(letters())
    time.tells()
    assert kinds_of(receiver) == ["opened", "repeated", "ended", "opened"]
    first, *same, another = [body["data"]["alarm"] for body in bodies(receiver)]
    assert same == [first, first]
    assert another != first
    assert len(set(receiver.ids)) == 4


def test_whoever_was_not_told_of_it_is_not_told_that_it_is_over(time: Time, receiver: Receiver) -> None:
    time.finds(letters())
    time.tells()
    somebody(receiver.url)
    time.passes(seconds=60)
    time.finds()
    time.tells()
    assert receiver.calls == []


def test_a_suspicion_stays_in_the_house(time: Time, receiver: Receiver) -> None:
    somebody(receiver.url)
    time.finds(late())
    assert time.tells() == 0


def test_a_crash_between_sending_and_noting_repeats_the_same_id(
    time: Time, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def dies(*_: Any) -> None:
        raise Crash

    somebody(receiver.url)
    time.finds(letters())
    with monkeypatch.context() as patch:
        patch.setattr(module, "_note", dies)
        with pytest.raises(Crash):
            time.tells()
    assert time.tells() == 0  # somebody may still be at it
    time.passes(seconds=60)
    assert time.tells() == 1
    assert receiver.ids == [receiver.ids[0]] * 2
    assert time.tells() == 0
    assert AlarmTelling.objects.get().told == 1


def test_two_processes_tell_once(time: Time, receiver: Receiver) -> None:
    somebody(receiver.url)
    time.finds(letters())
    telling._prepare(time.now)
    ours, theirs = telling._due(time.now), telling._due(time.now)
    told = [telling._tell(each, time.now) for each in (*ours, *theirs)]
    assert [answer is not None for answer in told] == [True, False]
    assert len(receiver.calls) == 1


def test_what_failed_is_tried_again_later_and_later_with_the_same_id(time: Time, receiver: Receiver) -> None:
    receiver.status = 503
    ops = somebody(receiver.url)
    time.finds(letters())
    tried = []
    for second in range(0, 300, 5):
        if time.tells():
            tried.append(second)
        time.passes(seconds=5)
    assert tried == [0, 15, 45, 105, 225]
    assert len(set(receiver.ids)) == 1
    ops.refresh_from_db()
    assert ops.failing is not None
    assert ops.error == "the endpoint answered 503 Service Unavailable"
    receiver.status = 200
    time.passes(minutes=15)
    time.tells()
    ops.refresh_from_db()
    assert (ops.failing, ops.error, ops.delivered) == (None, "", time.now)
    assert len(set(receiver.ids)) == 1


def test_a_way_that_fails_holds_up_no_other(time: Time, receiver: Receiver, mail: MailServer) -> None:
    somebody("http://127.0.0.1:9/", name="a dead end")
    somebody("olive@ops.example", "email")
    somebody(receiver.url)
    time.finds(letters())
    assert time.tells() == 3
    assert (len(receiver.calls), len(mail.letters)) == (1, 1)


def test_one_who_hangs_holds_up_nobody_else(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    let_go, arrived = threading.Event(), SimpleQueue[tuple[str, str]]()

    def send(recipient: AlarmRecipient, message: Message, _now: datetime) -> Answer:
        if recipient.name == "hangs":
            let_go.wait(PATIENCE_S)
        arrived.put((recipient.name, message.facts["key"]))
        return Answer(verdict=Verdict.DELIVERED)

    monkeypatch.setattr(channels, "send", send)
    somebody("https://hangs.example/", name="hangs")
    somebody("https://ops.example/", name="ops")
    teller = telling.Teller()
    time.finds(letters(key="alpha"))
    begun = teller.begin(time.now)
    assert arrived.get(timeout=PATIENCE_S) == ("ops", "alpha")
    for told in begun[1:]:
        told.result(PATIENCE_S)
    time.finds(letters(key="alpha"), letters(key="beta"))
    begun += teller.begin(time.passes(seconds=5))
    assert arrived.get(timeout=PATIENCE_S) == ("ops", "beta")
    assert teller.begin(time.passes(seconds=5)) == [], (
        "who is still being told is not told a second thing beside it"
    )
    let_go.set()
    assert sum(told.result(PATIENCE_S) for told in begun) == 3
    assert arrived.get(timeout=PATIENCE_S) == ("hangs", "alpha")
    assert [told.result(PATIENCE_S) for told in teller.begin(time.passes(seconds=5))] == [1]
    assert arrived.get(timeout=PATIENCE_S) == ("hangs", "beta")


def test_after_a_try_that_failed_the_rest_waits_for_its_turn(time: Time, receiver: Receiver) -> None:
    """A hundred alarms are not a hundred time-outs one after the other."""
    receiver.status = 503
    somebody(receiver.url)
    time.finds(*[letters(key=f"game-{number}") for number in range(5)])
    assert time.tells() == 1
    receiver.status = 200
    time.passes(seconds=5)
    assert time.tells() == 4
    time.passes(seconds=10)
    assert time.tells() == 1


@pytest.mark.parametrize(("reply", "verdict"), [("450 later", "transient"), ("550 no such box", "permanent")])
def test_what_a_mail_server_refuses_is_judged(time: Time, mail: MailServer, reply: str, verdict: str) -> None:
    mail.reply = reply
    olive = somebody("olive@ops.example", "email")
    answer = telling.tell_a_test(olive, "olive", time.now)
    assert answer.verdict == verdict
    olive.refresh_from_db()
    assert olive.error == f"the mail server answered {reply[:3]}"


def test_no_mail_server_is_a_refusal_that_says_so(time: Time) -> None:
    answer = telling.tell_a_test(somebody("olive@ops.example", "email"), "olive", time.now)
    assert answer.verdict is Verdict.PERMANENT
    assert "EMAIL_URL" in answer.detail


def test_people_are_told_of_what_they_want_to_hear(time: Time, receiver: Receiver) -> None:
    alpha, beta = given_game("alpha"), given_game("beta")
    somebody(f"{receiver.url}&to=critical", severity="critical")
    somebody(f"{receiver.url}&to=beta").games.add(beta)
    somebody(f"{receiver.url}&to=off", enabled=False)
    time.finds(letters(key="alpha", game_id=alpha.pk), letters(key="beta", game_id=beta.pk), late())
    time.passes(seconds=10)
    time.finds(letters(key="alpha", game_id=alpha.pk), letters(key="beta", game_id=beta.pk), late())
    time.tells()
    told = sorted(
        (call.path.partition("to=")[2], json.loads(call.body)["data"]["key"]) for call in receiver.calls
    )
    assert told == [("beta", "beta"), ("beta", "decisions"), ("critical", "decisions")]


def test_a_muted_alarm_is_silent_until_the_time_is_over(time: Time, receiver: Receiver) -> None:
    somebody(receiver.url)
    AlarmMute.objects.create(
        kind="dead_letters", key="alpha", until=time.now.replace(year=2100), reason="known"
    )
    time.finds(letters(key="alpha"), letters(key="beta"))
    time.tells()
    assert [body["data"]["key"] for body in bodies(receiver)] == ["beta"]
    AlarmMute.objects.update(until=time.now)
    time.tells()
    assert [body["data"]["key"] for body in bodies(receiver)] == ["beta", "alpha"]


def test_a_test_message_says_that_nothing_is_wrong(time: Time, receiver: Receiver) -> None:
    ops = somebody(receiver.url, name="on-call")
    assert telling.tell_a_test(ops, "olive", time.now).verdict is Verdict.DELIVERED
    (call,) = receiver.calls
    assert call.fits(shown(channels.secret(ops)))
    assert json.loads(call.body)["type"] == "alarm.test"
    ops.refresh_from_db()
    assert ops.delivered == time.now


def test_sending_happens_outside_of_any_transaction(time: Time, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connection  # noqa: PLC0415 - what is looked at

    inside: list[bool] = []

    def look(*_: Any) -> Answer:
        inside.append(connection.in_atomic_block)
        return Answer(verdict=Verdict.DELIVERED)

    monkeypatch.setattr(channels, "send", look)
    somebody("https://ops.example/")
    time.finds(letters())
    time.tells()
    assert inside == [False]
    assert AlarmRecipient.objects.get().delivered == time.now
