"""A turn sends what is due, once, and commits what came of it; what nobody wants is never sent."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from events.stopping import Stopping
from notifications.delivery import claim as claiming
from notifications.delivery import flights, outlets, schedule, settling, turns
from notifications.delivery.channel import Letter
from notifications.inbox import Action, Kind, apply
from notifications.models import Delivery, Notification
from notifications.models.inbox import Gone
from players import blocking
from players.models import Player
from tests.given import given_game
from tests.notifications.delivery.scene import (
    FOREVER,
    Holding,
    deliver,
    failing,
    fresh,
    given_delivery,
    given_memory,
    make_due,
    now,
    outlet,
)
from tests.notifications.given import decide, given_levels, given_rule, notifications, player

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_delivery_is_sent_once_with_the_notification_s_id() -> None:
    game = given_game()
    channel = given_memory(game)
    row = given_delivery(game)
    deliver()
    deliver()
    (letter,) = channel.letters
    (told,) = notifications(game)
    assert (letter.id, letter.uid, letter.player, letter.title) == (
        f"{told.uid}:memory",
        told.uid,
        "alice",
        "Level 5!",
    )
    row = fresh(row)
    assert (row.state, row.tries, row.error) == ("sent", 1, "")
    assert row.finished
    assert [each["ended"] for each in row.history] == ["delivered"]


def test_a_transient_failure_is_tried_again_later_with_the_same_id() -> None:
    game = given_game()
    channel = given_memory(game, faults=failing())
    row = given_delivery(game)
    before = now()
    deliver()
    row = fresh(row)
    assert (row.state, row.tries, row.step, row.error, row.first_error) == (
        "waiting",
        1,
        1,
        "http 503",
        "http 503",
    )
    assert timedelta(seconds=8) <= row.due_at - before <= timedelta(seconds=10 + FOREVER)
    deliver()
    assert fresh(row).tries == 1  # not before its time
    channel.faults = lambda _letter: None
    make_due(row)
    deliver()
    assert (fresh(row).state, fresh(row).tries) == ("sent", 2)
    assert [letter.id for letter in channel.letters] == [row.idempotency_id]


def test_a_permanent_failure_is_not_repeated() -> None:
    game = given_game()
    given_memory(game, faults=failing("http 410", permanent=True))
    row = given_delivery(game)
    deliver()
    row = fresh(row)
    assert (row.state, row.tries, row.error, row.detail) == (
        "dead",
        1,
        "http 410",
        "the endpoint said http 410",
    )
    assert row.finished


def test_retry_after_is_waited_for() -> None:
    game = given_game()
    given_memory(game, faults=failing("http 429", retry_after_s=1_800))
    row = given_delivery(game)
    before = now()
    deliver()
    assert fresh(row).due_at - before >= timedelta(seconds=1_800)


def test_the_schedule_ends_and_the_first_and_last_errors_stay() -> None:
    game = given_game()
    channel = given_memory(game, faults=failing("timeout"))
    row = given_delivery(game)
    for _ in schedule.DELAYS_S:
        deliver()
        make_due(row)
        outlets.put(game.id, "memory", enabled=True)  # its circuit is closed again
        assert fresh(row).state == "waiting"
        channel.faults = failing("http 500")
    deliver()
    row = fresh(row)
    assert (row.state, row.tries, row.first_error, row.error) == ("dead", 11, "timeout", "http 500")
    assert len(row.history) == 11


def test_no_try_is_planned_beyond_the_expiry() -> None:
    game = given_game()
    given_memory(game, faults=failing("http 503", retry_after_s=600))
    row = given_delivery(game, ttl_s=300)
    deliver()
    assert (fresh(row).state, fresh(row).reason, fresh(row).error) == ("cancelled", "expired", "http 503")


def expired(told: Notification) -> None:
    Notification.objects.filter(pk=told.pk).update(expires=now() - timedelta(seconds=1))


def recalled(told: Notification) -> None:
    Notification.objects.filter(pk=told.pk).update(gone=Gone.RECALLED, gone_at=now())


def read(told: Notification) -> None:
    apply([Action(player_id=told.player_id, kind=Kind.READ, ids=(told.uid,))])


def read_through(told: Notification) -> None:
    apply([Action(player_id=told.player_id, kind=Kind.READ, through=told.number)])


def archived(told: Notification) -> None:
    apply([Action(player_id=told.player_id, kind=Kind.ARCHIVE, ids=(told.uid,))])


def blocked(told: Notification) -> None:
    blocking.block([told.player], "olive", "cheats")


def erased(told: Notification) -> None:
    Player.objects.filter(pk=told.player_id).update(erased=now())


def removed(told: Notification) -> None:
    told.delete()


@pytest.mark.parametrize(
    ("happens", "reason"),
    [
        (expired, "expired"), (recalled, "gone"), (read, "read"), (read_through, "read"), (archived, "archived"),
        (blocked, "player blocked"), (erased, "player erased"), (removed, "gone"),
    ],
)  # fmt: skip
def test_what_nobody_would_want_any_more_is_cancelled_and_never_sent(
    happens: Callable[[Notification], None], reason: str
) -> None:
    game = given_game()
    channel = given_memory(game)
    row = given_delivery(game)
    happens(notifications(game)[0])
    deliver()
    assert (fresh(row).state, fresh(row).reason, fresh(row).tries) == ("cancelled", reason, 0)
    assert channel.letters == []


def test_what_expires_between_the_claim_and_the_try_is_not_sent() -> None:
    game = given_game()
    channel = given_memory(game)
    row = given_delivery(game, ttl_s=300)
    (claimed,) = claiming.claim(1, now())
    late = replace(claimed, letter=replace(claimed.letter, expires=now() - timedelta(seconds=1)))
    outcome = turns.make(late)
    assert outcome
    assert outcome.expired
    turns.settle(outcome, now())
    assert (fresh(row).state, fresh(row).reason) == ("cancelled", "expired")
    assert channel.letters == []


def test_a_try_is_made_outside_of_any_transaction_and_without_a_database() -> None:
    game = given_game()
    seen: list[tuple[bool, str]] = []

    def look(letter: Letter) -> None:
        row = Delivery.objects.get(notification_id=letter.uid)  # its own connection sees what is committed
        seen.append((connection.in_atomic_block, row.state))
        connection.close()

    given_memory(game, faults=look)
    given_delivery(game)
    deliver()
    assert seen == [(False, "sending")]


def test_an_adapter_s_mistake_is_a_failed_try_and_tells_nothing_of_the_player() -> None:
    def broken(letter: Letter) -> None:
        raise ValueError(letter.player)

    game = given_game()
    given_memory(game, faults=broken)
    row = given_delivery(game)
    deliver()
    row = fresh(row)
    assert (row.state, row.error) == ("waiting", "broken: ValueError")
    assert "alice" not in row.detail + str(row.history)


def test_a_frozen_worker_s_delivery_comes_back_with_the_same_id_and_its_late_word_counts_if_it_arrived() -> (
    None
):
    game = given_game()
    channel = given_memory(game)
    row = given_delivery(game)
    (frozen,) = claiming.claim(1, now())
    assert claiming.claim(1, now()) == []  # leased
    (second,) = claiming.claim(1, now() + claiming.LEASE + timedelta(seconds=1))
    assert (second.letter.id, second.tries) == (frozen.letter.id, 2)
    channel.faults = failing()
    assert turns.settle(made(frozen), now()) is None  # its failure is not the second's
    assert fresh(row).state == "sending"
    channel.faults = lambda _letter: None
    turns.settle(made(frozen), now())
    assert fresh(row).state == "sent"
    channel.faults = failing()
    assert turns.settle(made(second), now()) is None
    assert fresh(row).state == "sent"


def made(claimed: claiming.Claimed) -> settling.Outcome:
    """Make a try in time."""
    outcome = turns.make(claimed)
    assert outcome
    return outcome


def test_one_endpoint_that_hangs_does_not_hold_up_another_game_s() -> None:
    slow, quick = given_game(), given_game()
    holding = Holding()
    channel = given_memory(
        slow, quick, faults=lambda letter: holding(letter) if letter.game == slow.slug else None
    )
    given_rule(slow, channels=["memory"])
    given_levels(slow, *range(40))
    decide()
    turn = threading.Thread(target=work_in_a_thread)
    turn.start()
    try:
        for _ in range(flights.FEW):
            assert holding.reached.acquire(timeout=FOREVER)
        row = given_delivery(quick)
        arrived = threading.Event()
        channel.faults = lambda letter: holding(letter) if letter.game == slow.slug else arrived.set()
        assert arrived.wait(FOREVER)
        assert not holding.reached.acquire(timeout=0)  # no more of the slow one than its share
    finally:
        holding.go.set()
        turn.join(FOREVER)
    assert fresh(row).state == "sent"


def work_in_a_thread() -> None:
    turns.work_for(4)
    connection.close()


def test_two_turns_at_once_send_each_delivery_once() -> None:
    game = given_game()
    channel = given_memory(game)
    given_rule(game, channels=["memory"])
    given_levels(game, *range(60))
    decide()
    threads = [threading.Thread(target=work_in_a_thread) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(FOREVER)
    deliver()
    ids = [letter.id for letter in channel.letters]
    assert len(ids) == len(set(ids)) == 60
    assert set(Delivery.objects.values_list("state", "tries")) == {("sent", 1)}


def test_after_some_failures_an_endpoint_is_left_alone_and_nothing_waits_for_its_time_out() -> None:
    game = given_game()
    tried: list[str] = []

    def down(letter: Letter) -> None:
        tried.append(letter.id)
        failing("timeout")(letter)

    channel = given_memory(game, faults=down)
    given_rule(game, channels=["memory"])
    given_levels(game, *range(30))
    decide()
    deliver()
    first = len(tried)
    assert outlets.FAILURES <= first <= outlets.FAILURES + claiming.PER_OUTLET
    closed = outlet(game)
    assert closed.closed_until
    assert closed.closed_until > now()
    deliver()
    assert len(tried) == first
    untouched = Delivery.objects.filter(tries=0)
    assert {row.state for row in untouched} == {"waiting"}  # no try is used up meanwhile
    reopen(game)
    deliver()
    assert len(tried) == first + 1  # one probe
    assert outlet(game).closed_until > now()  # type: ignore[operator]
    channel.faults = lambda _letter: None
    reopen(game)
    deliver()
    assert outlet(game).closed_until is None
    assert not Delivery.objects.filter(tries=0).exists()


def reopen(game: object) -> None:
    """Let the pause be over."""
    row = outlet(game)  # type: ignore[arg-type]
    row.closed_until = now() - timedelta(seconds=1)
    row.save()


def test_a_channel_that_is_switched_off_keeps_what_waits() -> None:
    game = given_game()
    channel = given_memory(game)
    row = given_delivery(game)
    outlets.put(game.id, "memory", enabled=False)
    deliver()
    assert (fresh(row).state, fresh(row).tries) == ("waiting", 0)
    outlets.put(game.id, "memory", enabled=True)
    deliver()
    assert len(channel.letters) == 1


def test_a_turn_says_whether_work_is_left() -> None:
    game = given_game()
    given_memory(game)
    given_delivery(game)
    assert turns.work_for(0) is True
    assert turns.work_for(1) is False


def test_who_reads_while_it_waits_for_another_try_is_not_told_again() -> None:
    game = given_game()
    channel = given_memory(game, faults=failing())
    row = given_delivery(game)
    deliver()
    read(notifications(game)[0])
    channel.faults = lambda _letter: None
    make_due(row)
    deliver()
    assert (fresh(row).state, fresh(row).reason, fresh(row).tries) == ("cancelled", "read", 1)
    assert player(game).unread == 0
    assert datetime.now(UTC) > row.created


def test_a_process_that_is_told_to_end_finishes_what_it_sends_and_claims_no_more(stopping: Stopping) -> None:
    game = given_game()
    given_memory(game, faults=lambda _letter: stopping.set())
    first, second = given_delivery(game), given_delivery(game, key="bob")
    Delivery.objects.filter(pk=second.pk).update(due_at=now() + timedelta(hours=1))
    deliver()
    assert (fresh(first).state, fresh(first).tries) == ("sent", 1)
    make_due(second)
    deliver()
    assert fresh(second).tries == 0, "nobody has claimed it, so that others may at once"
    stopping.clear()
    deliver()
    assert fresh(second).state == "sent"
