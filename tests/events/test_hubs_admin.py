"""The Hubs screen: numbers that stay live, and levers that ask."""

from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from events.hubs import sampling
from events.lanes import Lane
from events.models import Checkpoint, Event, Game
from tests.events.hubs.conftest import MakeHub, recording_hub  # noqa: F401 - a fixture
from tests.given import an_event, given_events, given_game, hubs_catch_up
from tests.staff import Console, address, olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)

LIVE = "admin:events_checkpoint_live"


@pytest.fixture
def game(recording_hub: MakeHub) -> Game:  # noqa: F811 - the fixture
    recording_hub()
    return given_game("alpha", partitions=2)


def live(console: Console, *ids: int) -> dict[str, Any]:
    answer: dict[str, Any] = orjson.loads(console.get(reverse(LIVE), ids=",".join(map(str, ids))).content)
    return answer


def lane_of(answer: dict[str, Any], lane: Lane) -> dict[str, Any]:
    return next(row for row in answer["lanes"] if row["key"] == f"recorder/{lane.label}")


def lever(verb: str, lane: Lane | None = None) -> str:
    name, args = ("hub", []) if lane is None else ("lane", [int(lane)])
    return reverse(f"admin:events_checkpoint_{name}", args=[verb, "recorder", *args])


def test_it_tells_each_hub_and_lane_in_sum_and_each_checkpoint(game: Game) -> None:
    given_events(game, *[an_event() for _ in range(1_234)], lane=Lane.BULK)
    page = text(olive().listed("events_checkpoint"))
    assert '<td data-cell="events">1,234</td>' in page
    assert '<td data-cell="waiting">2 of 2</td>' in page
    row = Checkpoint.objects.filter(lane=Lane.BULK)[0]
    assert f'data-spot="{row.pk}" data-cell="position" data-chip="">0</span>' in page
    assert f'data-spot="{row.pk}" data-cell="state" data-chip="behind">behind</span>' in page


def test_the_live_answer_says_the_same_in_the_same_words(game: Game) -> None:
    console = olive()
    row = Checkpoint.objects.filter(lane=Lane.NORMAL)[0]
    before = live(console, row.pk)
    assert lane_of(before, Lane.NORMAL)["cells"]["state"] == "up to date"
    given_events(game, *[an_event() for _ in range(50)])
    during = live(console, row.pk)
    assert lane_of(during, Lane.NORMAL)["cells"]["events"] == "50"
    spot = during["spots"][str(row.pk)]
    assert (spot["cells"]["state"], spot["events"], spot["passed"]) == (
        "behind",
        int(spot["cells"]["events"]),
        0,
    )
    hubs_catch_up()
    after = live(console, row.pk)["spots"][str(row.pk)]
    assert (after["events"], after["cells"]["oldest"]) == (0, "–")
    assert after["passed"] == spot["events"]
    assert ":" in after["cells"]["holder"]


def test_rate_and_trend_are_there_when_the_page_opens(game: Game) -> None:
    given_events(game, *[an_event() for _ in range(300)])
    sampling.sample((timezone.now() - timedelta(seconds=10)).timestamp())
    hubs_catch_up()
    told = lane_of(live(olive()), Lane.NORMAL)
    assert told["cells"]["trend"] == "shrinking ↘"
    assert 0 < float(told["cells"]["rate"].removesuffix("/s")) <= 30  # 300 in ten seconds or a little more
    assert told["curve"] == [300, 0]


def test_work_that_stands_still_is_called_stalled(game: Game) -> None:
    given_events(game, an_event())
    hour_ago = timezone.now() - timedelta(hours=1)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE events_event SET recorded = %s", [connection.ops.adapt_datetimefield_value(hour_ago)]
        )
    Checkpoint.objects.update(advanced=hour_ago)
    told = lane_of(live(olive()), Lane.NORMAL)
    assert (told["chips"]["state"], told["cells"]["state"]) == ("stalled", "1 stalled")
    assert "stalled" in text(olive_page(Event.objects.get()))


def olive_page(event: Event) -> Any:
    row = Checkpoint.objects.get(partition_id=event.partition_id, lane=event.lane)
    return Console(olive_user()).page(row)


def olive_user() -> Any:
    from django.contrib.auth.models import User  # noqa: PLC0415 - Django's apps are loaded only now

    return User.objects.get(username="olive")


def test_filters_stand_in_the_address(game: Game) -> None:
    given_events(game, an_event(stream="one"))
    console = olive()
    waiting = console.rows("events_checkpoint", work="1")
    assert [(row.lane, row.spot.events) for row in waiting] == [(Lane.NORMAL, 1)]
    assert len(console.rows("events_checkpoint", work="0")) == 5
    assert len(console.rows("events_checkpoint", lane__exact=2, hub="recorder")) == 2
    assert len(console.rows("events_checkpoint", paused__exact=1)) == 0


@pytest.mark.usefixtures("game")
def test_the_screen_costs_the_same_whatever_there_is() -> None:
    console = olive()
    with CaptureQueriesContext(connection) as few:
        console.listed("events_checkpoint")
    for _ in range(6):
        given_events(given_game(partitions=4), *[an_event() for _ in range(40)])
    with CaptureQueriesContext(connection) as many:
        assert len(console.rows("events_checkpoint")) == 25
    assert len(many) == len(few) <= 14
    ids = list(Checkpoint.objects.values_list("pk", flat=True)[:25])
    with CaptureQueriesContext(connection) as asked:
        live(console, *ids)
    assert len(asked) <= 8


# -- levers -----------------------------------------------------------------------------------------


def test_a_lane_is_paused_after_the_exact_count_was_shown_and_a_reason_given(game: Game) -> None:
    console = olive()
    asked = text(console.get(lever("pause", Lane.NORMAL)))
    assert "Pause 2 checkpoints?" in asked
    assert "recorder alpha/0 normal" in asked
    refused = console.post(lever("pause", Lane.NORMAL), {"confirmed": "1", "reason": ""})
    assert "This field is required" in text(refused)
    done = console.post(lever("pause", Lane.NORMAL), {"confirmed": "1", "reason": "deploy"}, follow=True)
    assert said(done) == ["Paused 2 checkpoints."]
    assert done.redirect_chain[-1][0] == reverse("admin:events_checkpoint_changelist")
    assert set(Checkpoint.objects.filter(paused=True).values_list("lane", flat=True)) == {Lane.NORMAL}
    event = Event.objects.get(game=game, type="staff.hub.paused")
    assert orjson.loads(str(event.data)) == {
        "by": "olive", "hub": "recorder", "lane": "normal", "partitions": [0, 1], "reason": "deploy",
    }  # fmt: skip
    assert LogEntry.objects.filter(change_message__contains="Paused: deploy").count() == 2


def test_a_whole_hub_is_resumed(game: Game) -> None:
    Checkpoint.objects.update(paused=True)
    done = olive().post(lever("resume"), {"confirmed": "1", "reason": "done"}, follow=True)
    assert said(done) == ["Resumed 6 checkpoints."]
    assert not Checkpoint.objects.filter(paused=True).exists()
    assert Event.objects.filter(game=game, type="staff.hub.resumed").count() == len(Lane)


@pytest.mark.usefixtures("game")
def test_a_single_checkpoint_is_paused_from_its_page_and_from_the_list() -> None:
    console = olive()
    one, other = Checkpoint.objects.filter(lane=Lane.BULK).order_by("id")
    assert "Pause…" in text(console.page(one))
    console.post(
        reverse("admin:events_checkpoint_pause_this", args=[one.pk]), {"confirmed": "1", "reason": "look"}
    )
    assert "Resume…" in text(console.page(one))
    console.post(
        reverse("admin:events_checkpoint_changelist"),
        {"action": "pause", "_selected_action": [other.pk], "index": "0", "confirmed": "1", "reason": "look"},
    )
    assert set(Checkpoint.objects.filter(paused=True)) == {one, other}


@pytest.mark.usefixtures("game")
def test_there_is_nothing_to_resume_where_nothing_is_paused() -> None:
    done = olive().client.get(lever("resume", Lane.BULK), follow=True)
    assert said(done) == ["There is nothing to resume in recorder."]


@pytest.mark.usefixtures("game")
def test_who_may_only_look_sees_the_numbers_and_no_lever() -> None:
    console = vera()
    page = text(console.listed("events_checkpoint"))
    assert 'data-cell="events"' in page
    assert "Pause…" not in page
    assert "pause…" not in page
    assert console.get(reverse(LIVE)).status_code == 200
    assert console.get(lever("pause", Lane.NORMAL)).status_code == 403
    assert console.post(lever("pause"), {"confirmed": "1", "reason": "x"}).status_code == 403
    assert console.post(address(Checkpoint.objects.all()[0], "pause_this"), {}).status_code == 403
    assert not Checkpoint.objects.filter(paused=True).exists()


@pytest.mark.usefixtures("game")
def test_there_is_no_other_lever() -> None:
    assert olive().get(reverse("admin:events_checkpoint_hub", args=["drop", "recorder"])).status_code == 404
