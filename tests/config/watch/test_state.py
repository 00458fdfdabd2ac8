"""An alarm opens when its condition has held for a while, and ends by itself when it is gone for a while."""

import pytest

from config.watch import kinds, state
from events.models import Alarm, AlarmLimit
from tests.config.watch.conftest import Time, late, letters, opened

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_condition_that_holds_becomes_an_alarm_with_its_since_when(time: Time) -> None:
    began = time.now
    time.finds(late(3))
    assert opened() == []
    time.passes(seconds=5)
    time.finds(late(8))
    assert opened() == []
    time.passes(seconds=5)
    time.finds(late(6))
    (alarm,) = opened()
    assert (alarm.since, alarm.opened) == (began, time.now)
    assert (alarm.value, alarm.worst, alarm.limit, alarm.severity) == (6, 8, 2, "critical")


def test_what_passes_at_once_was_no_alarm(time: Time) -> None:
    time.finds(late())
    time.passes(seconds=5)
    time.finds()
    time.passes(seconds=5)
    time.finds(late())
    assert opened() == []
    assert Alarm.objects.count() == 1  # a new suspicion, from the beginning


def test_an_alarm_ends_by_itself_and_stays_in_the_history(time: Time) -> None:
    time.finds(letters())
    time.passes(seconds=30)
    time.finds()
    assert len(opened()) == 1
    time.passes(seconds=30)
    time.finds()
    assert opened() == []
    assert Alarm.objects.get().ended == time.now


def test_what_comes_and_goes_is_one_alarm(time: Time) -> None:
    """On for 20 s, off for 30 s, ten times over."""
    for _ in range(10):
        for held in (True, True, True, True, False, False, False, False, False, False):
            time.finds(*[late()] if held else [])
            time.passes(seconds=5)
    assert len(opened()) == 1
    assert Alarm.objects.count() == 1


def test_the_same_again_later_is_another_alarm(time: Time) -> None:
    time.finds(letters())
    time.passes(seconds=61)
    time.finds()
    time.passes(minutes=5)
    time.finds(letters())
    assert len(opened()) == 1
    assert Alarm.objects.count() == 2


def test_an_alarm_whose_rule_was_not_asked_stays_as_it_is(time: Time) -> None:
    time.finds(letters())
    time.passes(minutes=10)
    time.finds(looked=("outbox",))
    assert [alarm.kind for alarm in opened()] == ["dead_letters"]


def test_each_key_has_an_alarm_of_its_own(time: Time) -> None:
    time.finds(letters(key="alpha"), letters(key="beta"))
    time.passes(seconds=61)
    time.finds(letters(key="beta"))
    assert [alarm.key for alarm in opened()] == ["beta"]


def test_a_fault_with_thousands_of_keys_is_told_apart_only_so_far(time: Time) -> None:
    time.finds(*[letters(key=f"game-{number}") for number in range(200)])
    assert len(opened()) == state.OPEN_MAX


def test_limits_and_severities_are_those_that_staff_have_set() -> None:
    kinds.make_missing()
    AlarmLimit.objects.filter(kind="lag_urgent").update(limit=30, severity="warning")
    kind = kinds.in_force()["lag_urgent"]
    assert (kind.limit, kind.severity) == (30, "warning")
    assert kinds.in_force()["lag_normal"] == kinds.KINDS["lag_normal"]


def test_what_is_switched_off_ends_at_once(time: Time) -> None:
    time.finds(letters())
    AlarmLimit.objects.create(kind="dead_letters", enabled=False)
    time.passes(seconds=5)
    time.finds()
    assert opened() == []


def test_the_history_goes_after_ninety_days(time: Time) -> None:
    time.finds(letters())
    time.passes(seconds=61)
    time.finds()
    time.finds(letters(key="still"))
    state.forget_old(time.passes(days=91))
    assert [alarm.key for alarm in Alarm.objects.all()] == ["still"]
