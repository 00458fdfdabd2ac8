"""Whoever has claimed a delivery is alone with it for a while, and nobody has it for ever."""

from dataclasses import replace
from datetime import timedelta

import pytest

from events.webhooks import sending
from notifications.delivery import claim as claiming
from notifications.delivery import schedule, turns
from notifications.delivery.sweeping import end_outlived
from notifications.models import Delivery
from tests.given import given_game
from tests.notifications.delivery.scene import fresh, given_delivery, given_memory, make_due, now, outlet
from tests.notifications.given import decide, given_levels, given_rule

pytestmark = pytest.mark.django_db(transaction=True)
OVER = claiming.LEASE + timedelta(seconds=1)
A_DAY_LATER = schedule.LIFE + timedelta(seconds=1)


def test_a_try_that_begins_in_time_is_over_before_anybody_else_may_have_the_delivery() -> None:
    game = given_game()
    given_memory(game)
    row = given_delivery(game)
    (claimed,) = claiming.claim(1, now())
    assert fresh(row).due_at - claimed.begin_by == claiming.LONGEST
    assert claiming.LONGEST.total_seconds() >= sending.DEADLINE_S + sending.EXCERPT_S


def test_a_process_that_stood_still_between_claim_and_try_does_not_send() -> None:
    game = given_game()
    channel = given_memory(game)
    row = given_delivery(game)
    (frozen,) = claiming.claim(1, now())
    assert turns.make(replace(frozen, begin_by=now() - timedelta(seconds=1))) is None
    assert channel.letters == []
    assert fresh(row).state == "sending"  # until its lease is over


def test_a_delivery_that_ends_whoever_sends_it_is_given_up_after_as_many_tries_as_any_other() -> None:
    game = given_game()
    given_memory(game)
    row = given_delivery(game)
    at, tries = now(), 0
    while claiming.claim(1, at):
        at, tries = at + OVER, tries + 1
    row = fresh(row)
    assert tries == row.tries == len(schedule.DELAYS_S) + 1
    assert (row.state, row.error, row.first_error) == ("dead", "interrupted", "interrupted")
    assert {each["ended"] for each in row.history} == {"interrupted"}


@pytest.mark.parametrize("claimed_before", [False, True])
def test_no_try_begins_when_its_day_is_over(claimed_before: bool) -> None:
    game = given_game()
    given_memory(game)
    row = given_delivery(game)
    if claimed_before:
        assert claiming.claim(1, now())
    assert claiming.claim(1, now() + A_DAY_LATER) == []
    assert fresh(row).state == "dead"
    assert fresh(row).error == ("interrupted" if claimed_before else "no time left")


def test_the_sweep_ends_what_nobody_comes_back_for_and_leaves_alone_what_somebody_is_sending() -> None:
    game = given_game()
    given_memory(game)
    row = given_delivery(game)
    assert claiming.claim(1, now())
    Delivery.objects.filter(pk=row.pk).update(until=now() - timedelta(seconds=1))
    assert end_outlived() == 0
    make_due(row)
    assert end_outlived() == 1
    assert (fresh(row).state, fresh(row).finished is not None) == ("dead", True)


def test_what_others_have_under_way_is_no_work_for_this_process() -> None:
    game = given_game()
    channel = given_memory(game)
    given_rule(game, channels=["memory"])
    given_levels(game, *range(claiming.PER_OUTLET + 3))
    decide()
    while claiming.claim(100, now()):
        pass
    assert Delivery.objects.filter(state="sending").count() == claiming.PER_OUTLET
    assert claiming.due_outlets(now()) == [outlet(game).pk]
    assert turns.work_for(1) is False  # or it would be asked again and again, as fast as tasks can be
    assert channel.letters == []
