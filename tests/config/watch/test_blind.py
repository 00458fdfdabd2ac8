"""The database is away: a process tells from what it remembers, and writes it down afterwards."""

import threading
from datetime import datetime
from typing import Any

import pytest
from django.db import OperationalError

from config.watch.blind import Blind
from config.watch.looking import Look
from config.watch.messages import Message
from config.watch.running import look_once
from events.models import Alarm, AlarmMute, AlarmRecipient, AlarmTelling
from events.webhooks import Answer, Verdict
from tests.config.watch.conftest import Time, somebody

PATIENCE_S = 30
pytestmark = pytest.mark.django_db(transaction=True)


class Away(Look):
    """A look while the database is away."""

    def take_turn(self, now: datetime) -> bool:
        raise OperationalError("the connection is lost")


class Sent(list[Message]):
    """Keeps what is sent instead of sending it; ``arrives`` may be changed."""

    arrives = True

    def __call__(self, _recipient: AlarmRecipient, message: Message, _now: datetime) -> Answer:
        self.append(message)
        return Answer(verdict=Verdict.DELIVERED if self.arrives else Verdict.TRANSIENT)


def minutes_away(time: Time, blind: Blind, minutes: float) -> None:
    for _ in range(int(minutes * 12)):
        look_once(Away(), blind, time.passes(seconds=5))


@pytest.fixture
def sent() -> Sent:
    return Sent()


@pytest.fixture
def blind(time: Time, sent: Sent) -> Blind:
    """A process that has looked once, and knows of somebody."""
    somebody("https://ops.example/")
    made = Blind(send=sent)
    look_once(Look(rules=()), made, time.now)
    return made


def test_it_is_told_after_a_while_and_repeated(time: Time, blind: Blind, sent: Sent) -> None:
    look_once(Away(), blind, time.passes(seconds=5))
    look_once(Away(), blind, time.passes(seconds=10))
    assert sent == []
    minutes_away(time, blind, 30)
    assert [message.event for message in sent] == ["alarm.opened", "alarm.repeated", "alarm.repeated"]
    assert len({message.id for message in sent}) == 3
    assert "has not answered" in sent[0].text


def test_processes_that_see_one_outage_use_one_id(time: Time, sent: Sent, blind: Blind) -> None:
    time.now = time.now.replace(minute=31, second=0)
    other = Blind(send=sent, everybody=blind.everybody, remembered=time.now)
    for _ in range(4):
        look_once(Away(), blind, time.passes(seconds=2))
        look_once(Away(), other, time.passes(seconds=8))
    assert len(sent) == 2
    assert len({message.id for message in sent}) == 1


def test_what_does_not_arrive_is_tried_again_under_its_id(time: Time, blind: Blind, sent: Sent) -> None:
    sent.arrives = False
    minutes_away(time, blind, 1)
    assert len(sent) > 2
    assert len({message.id for message in sent}) == 1


def test_a_short_outage_is_nobodys_business(time: Time, blind: Blind, sent: Sent) -> None:
    minutes_away(time, blind, 0.2)
    look_once(Look(rules=()), blind, time.passes(seconds=5))
    assert (sent, Alarm.objects.count()) == ([], 0)


def test_once_it_is_back_it_is_an_alarm_that_ends_and_is_told_to_have_ended(
    time: Time, blind: Blind, sent: Sent, monkeypatch: pytest.MonkeyPatch
) -> None:
    began = time.now
    minutes_away(time, blind, 2)
    look_once(Look(rules=()), blind, time.passes(seconds=5))
    look_once(Look(rules=()), Blind(send=sent, since=began), time.now)  # another process saw it too
    alarm = Alarm.objects.get()
    assert (alarm.kind, alarm.ended, alarm.value) == ("database", None, 120)
    assert AlarmTelling.objects.get().told == 1
    ends: list[Message] = []

    def keep(_recipient: Any, message: Message, _now: datetime) -> Answer:
        ends.append(message)
        return Answer(verdict=Verdict.DELIVERED)

    monkeypatch.setattr("config.watch.channels.send", keep)
    look_once(Look(rules=()), blind, time.passes(seconds=65))
    time.tells()
    assert [message.event for message in ends] == ["alarm.ended"]


def test_a_muted_outage_is_silent(time: Time, sent: Sent) -> None:
    somebody("https://ops.example/")
    AlarmMute.objects.create(kind="database", until=time.now.replace(year=2100), reason="moving", by="olive")
    blind = Blind(send=sent)
    look_once(Look(rules=()), blind, time.now)
    minutes_away(time, blind, 30)
    assert sent == []


def test_one_who_hangs_keeps_nobody_else_from_hearing_of_the_outage(time: Time) -> None:
    somebody("https://hangs.example/", name="hangs")
    somebody("https://ops.example/", name="ops")
    heard = threading.Event()

    def send(recipient: AlarmRecipient, _message: Message, _now: datetime) -> Answer:
        if recipient.name == "hangs":
            assert heard.wait(PATIENCE_S), "the other one was told first, or at the same time"
        else:
            heard.set()
        return Answer(verdict=Verdict.DELIVERED)

    blind = Blind(send=send)
    look_once(Look(rules=()), blind, time.now)
    minutes_away(time, blind, 0.5)
    assert blind.heard == set(AlarmRecipient.objects.values_list("pk", flat=True))
