"""What nobody tries any more is ended; what ended long ago is removed."""

from datetime import timedelta

import pytest

from notifications.delivery import outlets
from notifications.delivery.sweeping import BATCH, end_outlived, remove_old
from notifications.models import Delivery
from tests.given import given_game
from tests.notifications.delivery.scene import fresh, given_delivery, given_memory, now

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_waited_a_day_for_a_closed_endpoint_is_dead_and_says_why() -> None:
    game = given_game()
    given_memory(game)
    row = given_delivery(game)
    outlets.put(game.id, "memory", enabled=False)
    assert end_outlived() == 0
    assert end_outlived(now() + timedelta(days=1, seconds=1)) == 1
    row = fresh(row)
    assert (row.state, row.error, row.first_error) == ("dead", "no time left", "no time left")
    assert "without being tried" in row.detail


def test_what_expired_meanwhile_is_cancelled() -> None:
    game = given_game()
    given_memory(game)
    row = given_delivery(game, ttl_s=60)
    assert end_outlived(now() + timedelta(seconds=90)) == 1
    assert (fresh(row).state, fresh(row).reason) == ("cancelled", "expired")


def test_what_ended_long_ago_is_removed_and_dead_ones_are_kept_longer() -> None:
    game = given_game()
    given_memory(game)
    base = given_delivery(game)
    ended = now() - timedelta(days=8)
    for number, state in enumerate(("sent", "cancelled", "dead", "waiting")):
        Delivery.objects.create(
            notification_id=f"00000000-0000-0000-0000-00000000000{number}",
            game=game,
            channel="memory",
            state=state,
            due_at=base.due_at,
            until=base.until,
            created=ended,
            finished=None if state == "waiting" else ended,
        )
    assert remove_old() == 2
    assert set(Delivery.objects.values_list("state", flat=True)) == {"dead", "waiting"}
    assert remove_old(now() + timedelta(days=23)) == 1
    assert remove_old(now() + timedelta(days=99)) == 0


def test_steps_are_small() -> None:
    assert BATCH <= 500
