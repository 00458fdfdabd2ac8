"""What staff do to deliveries: one or a whole group, exactly those that they have seen, on record."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import orjson
import pytest

from events.models import Game, OutboxEvent
from notifications.delivery import groups, operating
from notifications.delivery.groups import Group
from notifications.models import Delivery
from notifications.models.deliveries import OPEN, State
from tests.given import given_game
from tests.notifications.delivery.scene import deliver, failing, fresh, given_delivery, given_memory, now
from tests.notifications.given import notifications

pytestmark = pytest.mark.django_db(transaction=True)


def given_rows(game: Game, count: int, state: State = State.DEAD, **fields: Any) -> list[Delivery]:
    """Write deliveries as they would be after whatever has happened to them."""
    ended = {"finished": now(), "error": "http 410", "detail": "gone"} if state not in OPEN else {}
    rows = [
        Delivery(
            notification_id=uuid4(), game=game,
            **{"channel": "memory", "state": state, "due_at": now(), "until": now(), "created": now()} | ended | fields,
        )
        for _ in range(count)
    ]  # fmt: skip
    return Delivery.objects.bulk_create(rows)


def noted(what: str) -> list[dict[str, Any]]:
    return [orjson.loads(row.data) for row in OutboxEvent.objects.filter(type=f"staff.{what}").order_by("id")]


def dead(game: Game, **fields: Any) -> Group:
    return Group(game_id=game.id, channel="memory", state=State.DEAD, **fields)


def test_a_dead_delivery_is_sent_again_with_the_same_id_from_the_beginning_of_its_schedule() -> None:
    game = given_game()
    channel = given_memory(game, faults=failing("http 410", permanent=True))
    row = given_delivery(game)
    deliver()
    assert fresh(row).state == "dead"
    channel.faults = lambda _letter: None
    assert operating.retry([row], "olive", "the endpoint is back") == 1
    assert (fresh(row).state, fresh(row).step, fresh(row).finished) == ("waiting", 0, None)
    deliver()
    assert fresh(row).state == "sent"
    assert [letter.id for letter in channel.letters] == [row.idempotency_id]
    assert noted("delivery.retried") == [
        {"by": "olive", "delivery": row.idempotency_id, "error": "http 410", "reason": "the endpoint is back"}
    ]


def test_what_expires_meanwhile_has_no_longer_than_that() -> None:
    game = given_game()
    given_memory(game, faults=failing("http 410", permanent=True))
    short, long_ = given_delivery(game, ttl_s=600), given_delivery(game, key="bob", ttl_s=600_000)
    deliver()
    before = now()
    assert operating.retry([short, long_], "olive", "again") == 2
    (told,) = notifications(game)[:1]
    assert fresh(short).until == told.expires
    assert timedelta(hours=23) < fresh(long_).until - before < timedelta(hours=25)


def test_only_what_is_dead_is_sent_again_and_only_what_is_open_or_dead_is_given_up() -> None:
    game = given_game()
    rows = {state: given_rows(game, 1, state)[0] for state in State}
    assert operating.retry(list(rows.values()), "olive", "again") == 1
    assert fresh(rows[State.DEAD]).state == "waiting"
    assert operating.cancel(list(rows.values()), "olive", "never mind") == 2
    assert {state: fresh(row).state for state, row in rows.items()} == {
        State.WAITING: "cancelled", State.SENDING: "sending", State.SENT: "sent", State.DEAD: "cancelled",
        State.CANCELLED: "cancelled",
    }  # fmt: skip
    assert fresh(rows[State.DEAD]).reason == "by staff"
    assert {each["reason"] for each in noted("delivery.cancelled")} == {"never mind"}


def test_a_group_is_those_alike_and_no_others() -> None:
    game, other = given_game(), given_game()
    alike = given_rows(game, 3)
    others = [
        *given_rows(other, 1), *given_rows(game, 1, error="timeout"), *given_rows(game, 1, channel="pigeon"),
        *given_rows(game, 1, State.CANCELLED),
    ]  # fmt: skip
    group = groups.alike(alike[0])
    assert groups.count(group) == 3
    assert operating.retry_group(group, "olive", "again") == 3
    assert {fresh(row).state for row in alike} == {"waiting"}
    assert [fresh(row).state for row in others] == [row.state for row in others]
    (note,) = noted("deliveries.retried")
    assert (note["count"], note["error"], note["channel"], note["reason"]) == (
        3,
        "http 410",
        "memory",
        "again",
    )


def test_what_has_died_since_staff_looked_is_not_touched() -> None:
    game = given_game()
    seen = given_rows(game, 2)
    looked = now()
    (unseen,) = given_rows(game, 1, finished=looked + timedelta(seconds=1))
    assert groups.count(dead(game, seen=looked)) == 2
    assert operating.cancel_group(dead(game, seen=looked), "olive", "never mind") == 2
    assert {fresh(row).state for row in seen} == {"cancelled"}
    assert fresh(unseen).state == "dead"


def test_what_waits_for_an_outlet_is_given_up_together() -> None:
    game = given_game()
    rows = given_rows(game, 3, State.WAITING)
    group = Group(game_id=game.id, channel="memory", state=State.WAITING, seen=now())
    assert operating.cancel_group(group, "olive", "the endpoint will not come back") == 3
    assert {fresh(row).state for row in rows} == {"cancelled"}
    assert noted("deliveries.cancelled")[0]["state"] == "waiting"


def test_a_group_that_is_empty_leaves_no_record() -> None:
    assert operating.retry_group(dead(given_game()), "olive", "again") == 0
    assert noted("deliveries.retried") == []


def test_no_more_than_the_most_are_counted_or_touched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(groups, "MAX", 4)
    monkeypatch.setattr(operating, "AT_ONCE", 3)
    game = given_game()
    rows = given_rows(game, 6)
    assert groups.count(dead(game)) == 5  # more than 4
    assert operating.retry_group(dead(game), "olive", "again") == 4
    assert [fresh(row).state for row in rows] == ["waiting"] * 4 + ["dead"] * 2


def test_faults_are_told_apart_the_most_frequent_first() -> None:
    game = given_game()
    given_rows(game, 1, error="timeout")
    many = given_rows(game, 2)
    given_rows(game, 2, State.WAITING, error="http 503")
    found = groups.faults(game.id, "memory")
    assert [(each.group.error, each.count) for each in found] == [("http 410", 2), ("timeout", 1)]
    assert found[0].newest == many[-1]
