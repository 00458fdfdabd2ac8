"""Deliveries in the console: found by index, told try by try, sent again and given up with a reason, on record."""

from typing import Any

import orjson
import pytest
from django.urls import reverse

from events.models import Game, OutboxEvent
from notifications.admin import delivery_groups
from notifications.admin.advice import advice
from notifications.delivery import groups, outlets
from notifications.delivery.groups import Group
from notifications.models import Delivery, Notification, Outlet
from notifications.models.deliveries import State
from tests.given import given_game
from tests.notifications.delivery.conftest import _as_if_just_started  # noqa: F401 - a fixture
from tests.notifications.delivery.scene import (
    deliver,
    failing,
    fresh,
    given_delivery,
    given_memory,
    make_due,
    now,
)
from tests.notifications.delivery.test_operating import given_rows
from tests.notifications.given import notifications
from tests.staff import Console, address, given_staff, olive, said, text, vera

pytestmark = pytest.mark.django_db(transaction=True)
MODEL = "notifications_delivery"


def noted() -> list[dict[str, Any]]:
    rows = OutboxEvent.objects.filter(type__startswith="staff.deliver").order_by("id")
    return [{"type": row.type, **orjson.loads(row.data)} for row in rows]


def given_outlet(game: Game, channel: str = "memory") -> None:
    outlets.put(game.id, channel, enabled=True)


def test_a_list_tells_state_player_rule_tries_and_the_last_answer(game: Game) -> None:
    given_memory(game, faults=failing("http 503"))
    row = given_delivery(game)
    deliver()
    page = text(olive().listed(MODEL))
    (told,) = notifications(game)
    for part in (
        "Level 5!",
        "waiting",
        "memory",
        address(told.player),
        address(told.rule),
        "the endpoint said http 503",
    ):
        assert part in page, part
    assert address(row) in page


def test_each_choice_finds_its_own(game: Game) -> None:
    other = given_game()
    for each in (game, other):
        given_outlet(each)
    dead = given_rows(game, 1)[0]
    slow = given_rows(game, 1, error="timeout")[0]
    waiting = given_rows(game, 1, State.WAITING)[0]
    elsewhere = given_rows(other, 1)[0]
    console = olive()
    near = {"game__id__exact": game.id}
    assert console.rows(MODEL) == [elsewhere, waiting, slow, dead]
    assert console.rows(MODEL, **near) == [waiting, slow, dead]
    assert console.rows(MODEL, state="dead") == [elsewhere, slow, dead]
    assert console.rows(MODEL, **near, state="waiting", channel="memory") == [waiting]
    assert console.rows(MODEL, channel="pigeon") == []
    assert console.rows(MODEL, error="http 410") == [elsewhere, dead]
    assert console.rows(MODEL, **near, error="http 410") == [dead]


def test_it_is_found_by_its_id_by_its_notifications_and_by_its_players(game: Game) -> None:
    given_memory(game)
    row, other = given_delivery(game), given_delivery(game, key="bob")
    console = olive()
    for term in (row.idempotency_id, str(row.notification_id), "alice"):
        assert console.rows(MODEL, q=term) == [row], term
    assert other in console.rows(MODEL, q="bob")
    assert row not in console.rows(MODEL, q="bob")
    assert console.rows(MODEL, q="nobody") == []


def test_a_page_tells_each_try_and_what_to_do(game: Game) -> None:
    channel = given_memory(game, faults=failing("http 429", retry_after_s=90))
    row = given_delivery(game)
    deliver()
    channel.faults = failing("http 401", permanent=True)
    make_due(row)
    Outlet.objects.update(closed_until=None)
    deliver()
    page = text(olive().page(row))
    for part in (
        row.idempotency_id, "passes by itself", "<strong>429</strong>", "asked to wait 90 s", "for good",
        "<strong>401</strong>", "compare the secret there", reverse("admin:events_deadletter_changelist"),
    ):  # fmt: skip
        assert part in page, part


def test_a_delivery_whose_notification_is_gone_is_still_told(game: Game) -> None:
    given_memory(game)
    row = given_delivery(game)
    Notification.objects.all().delete()
    console = olive()
    assert "a notification that is no longer there" in text(console.listed(MODEL))
    assert console.page(row).status_code == 200


def test_a_try_whose_process_was_killed_says_so(game: Game) -> None:
    (row,) = given_rows(game, 1, State.SENDING, tries=2)
    Delivery.objects.update(history=[{"n": 1, "at": now().isoformat()}, {"n": 2, "at": now().isoformat()}])
    page = text(olive().page(row))
    assert "ended before it could tell" in page
    assert "under way" in page


def test_sending_again_asks_for_a_reason_and_is_on_record(game: Game) -> None:
    (row,) = given_rows(game, 1)
    console = olive()
    assert "Send again…" in text(console.page(row))
    console.post(address(row, "send_again_this"), {"confirmed": "1", "reason": ""})
    assert fresh(row).state == "dead"
    console.post(address(row, "send_again_this"), {"confirmed": "1", "reason": "mended"})
    assert fresh(row).state == "waiting"
    (note,) = noted()
    assert (note["type"], note["by"], note["reason"]) == ("staff.delivery.retried", "olive", "mended")
    assert "Send again…" not in text(console.page(row))


def test_what_was_ticked_is_given_up_and_the_rest_is_said(game: Game) -> None:
    given_outlet(game)
    rows = [*given_rows(game, 2), *given_rows(game, 1, State.SENT)]
    form = {
        "action": "give_up", "_selected_action": [row.pk for row in rows], "confirmed": "1", "reason": "never mind",
    }  # fmt: skip
    response = olive().post(reverse(f"admin:{MODEL}_changelist"), form, follow=True)
    assert said(response) == ["Gave up 2 deliveries. 1 had ended, or was just being sent."]
    assert [fresh(row).state for row in rows] == ["cancelled", "cancelled", "sent"]


def group_page(game: Game, verb: str = "again", state: State = State.DEAD, error: str = "http 410") -> str:
    return delivery_groups.address(verb, Group(game_id=game.id, channel="memory", state=state, error=error))


def test_dead_ones_are_grouped_by_fault_with_counts_and_levers(game: Game) -> None:
    given_outlet(game)
    given_rows(game, 3)
    given_rows(game, 1, error="timeout")
    page = text(olive().listed(MODEL))
    assert page.index("http 410") < page.index("timeout")
    for part in (group_page(game), group_page(game, "give-up"), advice("http 410"), "Dead letters"):
        assert part in page, part
    assert "What dead deliveries ended with" not in text(olive_again().listed(MODEL, state="waiting"))


def olive_again() -> Console:
    return Console(given_staff("olive2", everything=True))


def test_a_group_is_sent_again_with_its_exact_count_a_reason_and_a_record(game: Game) -> None:
    given_outlet(game)
    rows = given_rows(game, 3)
    others = given_rows(game, 1, error="timeout")
    console = olive()
    page = console.get(group_page(game))
    assert "Send 3 deliveries again?" in text(page)
    seen = page.context["form"].initial["seen"]
    assert console.post(group_page(game), {"seen": seen, "reason": ""}).status_code == 200
    assert {fresh(row).state for row in rows} == {"dead"}
    late = given_rows(game, 1)
    response = console.post(group_page(game), {"seen": seen, "reason": "mended"}, follow=True)
    assert said(response) == ["Sent 3 deliveries again."]
    assert {fresh(row).state for row in rows} == {"waiting"}
    assert {fresh(row).state for row in (*others, *late)} == {"dead"}
    (note,) = noted()
    assert (note["type"], note["count"], note["reason"]) == ("staff.deliveries.retried", 3, "mended")


def test_all_that_waits_for_an_endpoint_is_given_up_together(game: Game) -> None:
    given_outlet(game)
    rows = given_rows(game, 2, State.WAITING)
    console = olive()
    where = group_page(game, "give-up", State.WAITING, "")
    seen = console.get(where).context["form"].initial["seen"]
    console.post(where, {"seen": seen, "reason": "it will not come back"})
    assert {fresh(row).state for row in rows} == {"cancelled"}


def test_more_than_can_be_taken_at_once_is_said(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MAX", 2)
    given_outlet(game)
    given_rows(game, 4)
    console = olive()
    assert "2+" in text(console.listed(MODEL))
    page = console.get(group_page(game))
    assert "Send 2 deliveries again?" in text(page)
    assert "There are more than 2" in text(page)
    form = {"seen": page.context["form"].initial["seen"], "reason": "mended"}
    assert "There are more of them" in said(console.post(group_page(game), form, follow=True))[1]
    assert Delivery.objects.filter(state="dead").count() == 2


def test_what_makes_no_sense_is_no_page(game: Game) -> None:
    console = olive()
    waiting_again = group_page(game, "again", State.WAITING, "")
    assert console.get(waiting_again).status_code == 404
    assert console.get(group_page(game, "burn")).status_code == 404
    assert "There is no delivery" in said(console.client.get(group_page(game), follow=True))[0]


def test_who_may_only_look_sends_nothing_again(game: Game) -> None:
    given_outlet(game)
    (row,) = given_rows(game, 1)
    console = vera()
    page = text(console.listed(MODEL))
    assert "http 410" in page
    assert "Send again…" not in page
    form = {"confirmed": "1", "reason": "x", "seen": now().isoformat()}
    assert console.get(group_page(game)).status_code == 403
    assert console.post(group_page(game), form).status_code == 403
    for lever in ("send_again_this", "send_alike_again", "give_up_this"):
        assert console.post(address(row, lever), form).status_code == 403
    assert fresh(row).state == "dead"


@pytest.mark.parametrize(
    "query", [{}, {"game__id__exact": "1"}, {"state": "dead"}, {"error": "x"}, {"q": "alice"}]
)
def test_whoever_writes_an_order_into_the_address_gets_the_list_s_own(
    game: Game, query: dict[str, str]
) -> None:
    given_outlet(game)
    first, second = given_rows(game, 2, error="x")
    rows = olive().rows(
        MODEL, o="1", **query | ({"game__id__exact": str(game.id)} if "game__id__exact" in query else {})
    )
    assert rows in ([second, first], [])
