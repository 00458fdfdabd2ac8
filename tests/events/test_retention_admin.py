"""Staff say how long a game keeps what, and see how far that is."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.urls import reverse

from events.log.erasing import Cause, erase_payloads, places
from events.models import Event, Retention, StorageSample, Sweep
from events.models.erasures import Why
from events.retention.outlook import outlook
from tests.given import an_event, given_events, given_game
from tests.staff import Console, given_staff, olive, text

pytestmark = pytest.mark.django_db(transaction=True)
ADD = "admin:events_retention_add"


def test_a_choice_is_saved_and_told_to_the_log() -> None:
    game = given_game()
    console = olive()
    console.post(reverse(ADD), {"game": game.pk, "payload_days": "30", "notifications": "200"}, follow=True)
    row = Retention.objects.get(game=game)
    assert (row.payload_days, row.notifications, row.decision_days) == (30, 200, None)
    told = Event.objects.get(type="staff.retention.saved").data or ""
    assert '"payload_days":30' in told
    assert "30 days" in text(console.listed("events_retention"))


def test_no_time_at_all_is_refused() -> None:
    game = given_game()
    olive().post(reverse(ADD), {"game": game.pk, "payload_days": "0"}, follow=True)
    assert not Retention.objects.exists()


def test_a_change_is_followed_at_once() -> None:
    game = given_game()
    row = Retention.objects.create(game=game, payload_days=30)
    sweep = Sweep.objects.create(game=game, name="payloads", part=1, due="2099-01-01T00:00:00Z")
    olive().post(reverse("admin:events_retention_change", args=[row.pk]), {"payload_days": "3"}, follow=True)
    sweep.refresh_from_db()
    assert sweep.due.year < 2099


def test_who_may_only_look_changes_nothing() -> None:
    game = given_game()
    bob = Console(given_staff("bob", "events.view_retention"))
    assert bob.post(reverse(ADD), {"game": game.pk, "payload_days": "1"}).status_code == 403
    assert not Retention.objects.exists()


def test_erasures_and_sweeps_are_listed() -> None:
    game = given_game(partitions=1)
    given_events(game, an_event(data={"n": 1}))
    erase_payloads(places([Event.objects.get().pk]), Cause(why=Why.STAFF, by="olive", reason="a rude name"))
    Sweep.objects.create(game=game, name="payloads", part=1, left_from=7)
    console = olive()
    assert "a rude name" in text(console.listed("events_erasure"))
    assert "from offset 7: still needed" in text(console.listed("events_sweep"))


def test_the_forecast_stands_above_its_samples() -> None:
    game = given_game(partitions=1)
    given_events(game, *[an_event(data={"text": "x" * 100}) for _ in range(5)])
    Retention.objects.create(game=game, payload_days=1)
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2), tick=False):
        assert [(each.events, each.size > 500) for each in outlook()] == [(5, True)]
    StorageSample.objects.create(at=datetime.now(UTC) - timedelta(days=2), used=1, events=1)
    page = text(olive().listed("events_storagesample"))
    assert "Full in" in page
    assert "0 payloads, about" in page
