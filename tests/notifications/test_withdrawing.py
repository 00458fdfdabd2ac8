"""What was said from a payload goes with it, where staff ask for it: from inboxes, counters, devices and rows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
import time_machine
from django.conf import settings
from django.urls import reverse

from config.verifying import prove
from events import erasing
from events.lanes import Lane
from events.models import Event, Game, OutboxEvent
from notifications import tasks, withdrawing
from notifications.delivery import turns
from notifications.inbox import Action, Kind, apply
from notifications.models import Delivery, Notification, Withdrawal
from players.models import Player
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.notifications.delivery.scene import given_memory
from tests.notifications.given import (
    Device,
    Pushes,
    counters,
    decide,
    given_levels,
    given_rule,
    notifications,
    player,
)
from tests.staff import olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)
WORDLESS = ("", "", "{}", "[]")
CROWD = [f"p{number:03}" for number in range(230)]


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever asks waits for all of it, on however slow a machine."""
    monkeypatch.setattr(withdrawing, "AT_ONCE_S", 60.0)


@pytest.fixture
def game() -> Game:
    """Alice has reached three levels, and each was told."""
    game = given_game(partitions=1)
    given_rule(game, words={"en": ("Level {{ data.level }}", "rude {{ data.level }}")})
    given_levels(game, 1, 2, 3)
    hubs_catch_up()
    return game


def event_of(told: Notification) -> int:
    return told.event_id


def erased(*event_pks: int, together: Sequence[str] = ("notifications",)) -> int:
    return erasing.erase(event_pks, "olive", "a rude name", together)


def frames(pushes: Pushes) -> list[dict[str, Any]]:
    return [orjson.loads(change.frame) for change in pushes.changes]


def words(row: Notification) -> tuple[str, str, str, str]:
    return row.title, row.body, row.data, row.actions


def test_it_is_a_change_that_every_device_is_told_and_the_row_stays_without_words(
    game: Game, pushes: Pushes
) -> None:
    before = counters(game)
    second = notifications(game)[1]
    pushes.messages.clear()
    assert erased(event_of(second)) == 1
    row = Notification.objects.get(pk=second.pk)
    assert (row.gone, words(row), row.number) == ("withdrawn", WORDLESS, 2)
    assert counters(game) == (before[0] + 1, before[1], before[2] - 1)
    (frame,) = frames(pushes)
    assert (frame["from"], frame["to"], frame["unread"]) == (before[0], before[0] + 1, before[2] - 1)
    gone = {"number": 2, "seq": before[0] + 1, "id": str(second.uid), "gone": "withdrawn"}
    assert frame["items"] == [gone]
    assert prove(game).findings == []


def test_without_being_asked_nothing_is_withdrawn(game: Game, pushes: Pushes) -> None:
    pushes.messages.clear()
    assert erased(event_of(notifications(game)[1]), together=()) == 1
    assert [row.gone for row in notifications(game)] == ["", "", ""]
    assert pushes.messages == []
    assert not Withdrawal.objects.exists()


def test_what_was_read_goes_too_and_lowers_nothing(game: Game) -> None:
    second = notifications(game)[1]
    apply([Action(player_id=player(game).pk, kind=Kind.READ, ids=(second.uid,))])
    unread = counters(game)[2]
    erased(event_of(second))
    assert (Notification.objects.get(pk=second.pk).gone, counters(game)[2]) == ("withdrawn", unread)
    assert prove(game).findings == []


def test_what_no_device_shows_any_more_only_loses_its_words(pushes: Pushes) -> None:
    game = given_game(partitions=1)
    given_rule(game, notification_class="live", ttl_s=20)
    given_levels(game, 1)
    hubs_catch_up()
    (told,) = notifications(game)
    before = counters(game)
    with time_machine.travel(datetime.now(UTC) + timedelta(minutes=1), tick=True):
        pushes.messages.clear()
        erased(event_of(told))
    row = Notification.objects.get(pk=told.pk)
    assert (row.gone, words(row), counters(game)) == ("", WORDLESS, before)
    assert pushes.messages == []


def test_an_inbox_no_longer_has_it(game: Game) -> None:
    second = notifications(game)[1]
    erased(event_of(second))
    answer = Device(game).call("GET", "inbox")
    body = orjson.loads(answer.content)
    assert [item["number"] for item in body["items"]] == [3, 1]
    assert body["unread"] == 2
    assert "rude 2" not in answer.content.decode()


def test_what_waits_to_be_brought_by_another_channel_is_cancelled() -> None:
    game = given_game(partitions=1)
    memory = given_memory(game)
    given_rule(game, channels=["memory"])
    given_levels(game, 1)
    hubs_catch_up()
    erased(event_of(notifications(game)[0]))
    turns.work_for(0.2)
    assert (Delivery.objects.get().state, Delivery.objects.get().reason) == ("cancelled", "gone")
    assert memory.letters == []


def given_party(game: Game) -> Event:
    """Tell a crowd of a party."""
    given_rule(game, event_type="party.began", audience_path="data.players")
    given_events(game, an_event(type="party.began", data={"players": CROWD}), lane=Lane.BULK)
    decide()
    hubs_catch_up()
    return Event.objects.get(game=game, type="party.began")


def test_a_large_audience_is_worked_off_in_pages_and_a_crash_repeats_none(
    game: Game, monkeypatch: pytest.MonkeyPatch
) -> None:
    party = given_party(game)
    monkeypatch.setattr(withdrawing, "AT_ONCE_S", 0.0)  # workers do all of it
    erased(party.pk)
    assert withdrawing.step()
    assert Notification.objects.filter(event=party, gone="withdrawn").count() == withdrawing.BATCH
    with monkeypatch.context() as patch:
        patch.setattr(withdrawing, "written", killed)
        with pytest.raises(Killed):
            withdrawing.step()
    assert Notification.objects.filter(event=party, gone="withdrawn").count() == withdrawing.BATCH
    while withdrawing.step():
        pass
    row = Withdrawal.objects.get()
    assert (row.emptied, row.withdrawn, row.finished is not None) == (len(CROWD), len(CROWD), True)
    assert set(Player.objects.filter(key__in=CROWD).values_list("head", "unread")) == {(2, 0)}
    assert prove(game).findings == []


def killed(*_: Any) -> None:
    raise Killed


def test_who_and_why_is_in_the_log_with_what_it_came_to(game: Game) -> None:
    second = notifications(game)[1]
    erased(event_of(second))
    facts = {
        row.type: orjson.loads(row.data) for row in OutboxEvent.objects.filter(type__startswith="staff.")
    }
    assert facts["staff.payload.erased"]["together"] == ["notifications"]
    done = facts["staff.notifications.withdrawn"]
    assert (done["by"], done["reason"], done["withdrawn"]) == ("olive", "a rude name", 1)


def test_beat_looks_for_what_is_left(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdrawing, "AT_ONCE_S", 0.0)  # whoever asked has gone
    erased(event_of(notifications(game)[1]))
    tasks.withdraw()
    assert Withdrawal.objects.get().withdrawn == 1
    assert "notifications.withdraw" in {each["task"] for each in settings.CELERY_BEAT_SCHEDULE.values()}


# -- on the console -----------------------------------------------------------------------------------


def address(event_pk: int) -> str:
    return reverse("admin:events_event_erase_this", args=[event_pk])


CONFIRMED = {"confirmed": "1", "reason": "a rude name", "count": "1"}


def test_the_page_offers_it_with_the_exact_count_and_does_it_when_ticked(game: Game) -> None:
    second, console = notifications(game)[1], olive()
    page = text(console.get(address(event_of(second))))
    assert "Withdraw the 1 notification that came of it as well" in page
    answer = console.post(address(event_of(second)), {**CONFIRMED, "notifications": "on"}, follow=True)
    assert said(answer) == [
        "Erased the payload of 1 event. What came of it (1 notification) is withdrawn within seconds."
    ]
    assert Notification.objects.get(pk=second.pk).gone == "withdrawn"


def test_left_unticked_it_erases_the_payload_only(game: Game) -> None:
    second = notifications(game)[1]
    olive().post(address(event_of(second)), CONFIRMED)
    assert Event.objects.get(pk=event_of(second)).data is None
    assert Notification.objects.get(pk=second.pk).body == "rude 2"


def test_where_nothing_came_of_it_nothing_is_offered(game: Game) -> None:
    given_events(game, an_event(type="gift.sent", data={"n": 1}))
    hubs_catch_up()
    page = text(olive().get(address(Event.objects.get(game=game, type="gift.sent").pk)))
    assert "came of it as well" not in page


def test_who_may_only_look_withdraws_nothing(game: Game) -> None:
    second = notifications(game)[1]
    answer = vera().post(address(event_of(second)), {**CONFIRMED, "notifications": "on"})
    assert answer.status_code == 403
    assert Notification.objects.get(pk=second.pk).gone == ""
