"""Old notifications and decisions go, and devices, counters and explanations stay right."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.db.models import F

from events.models import Game, Partition, Retention, Sweep
from events.retention import sweeping
from notifications.inbox import Action, Kind, apply
from notifications.models import Decision, Notification
from notifications.retention.sweeps import decisions_complete_from
from notifications.verifying.deciding import decisions as verify_decisions
from notifications.verifying.inboxes import inboxes as verify_inboxes
from notifications.verifying.undecided import undecided as verify_undecided
from players.models import ProfileRevision
from players.verifying import findings as verify_players
from tests.given import given_game
from tests.notifications.given import counters, decide, given_levels, given_rule, notifications, player
from tests.plans import recorded, walks
from tests.players.people import given_updates

pytestmark = pytest.mark.django_db(transaction=True)
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture
def game() -> Game:
    """Every new level is told."""
    game = given_game(partitions=2)
    with time_machine.travel(NOW - 400 * DAY, tick=False):
        given_rule(game)
    return game


def given_told(game: Game, *days_ago: int, key: str = "alice") -> None:
    """Let a player be told of a level at each of these ages; the level is the age."""
    for days in sorted(days_ago, reverse=True):
        with time_machine.travel(NOW - days * DAY, tick=False):
            given_levels(game, days, key=key)
            decide()


def keep(game: Game, **fields: Any) -> None:
    Retention.objects.update_or_create(game=game, defaults=fields)


def sweep(at: datetime = NOW) -> None:
    """Work until everything rests."""
    with time_machine.travel(at, tick=False):
        sweeping.make_missing()
        Sweep.objects.update(due=at)
        for pk in Sweep.objects.order_by("pk").values_list("pk", flat=True):
            while sweeping.sweep_once(pk):
                pass


def shown(game: Game, key: str = "alice") -> list[str]:
    return [row.title for row in notifications(game, key) if not row.gone]


def problems(game: Game) -> list[str]:
    """Return what verifying finds."""
    partitions = Partition.objects.filter(game=game).values_list("pk", flat=True)
    return [
        *verify_inboxes(game.pk),
        *verify_players(game.pk),
        *(each for pk in partitions for check in (verify_decisions, verify_undecided) for each in check(pk)),
    ]


# -- leaving an inbox ---------------------------------------------------------------------------------------


def test_what_is_too_old_leaves_the_inbox_as_a_change(game: Game) -> None:
    given_told(game, 40, 31, 2)
    assert counters(game) == (3, 3, 3)
    keep(game, notification_days=30)
    sweep()
    assert shown(game) == ["Level 2!"]
    assert counters(game) == (5, 3, 1)
    gone = [(row.gone, row.seq, row.number) for row in notifications(game) if row.gone]
    assert gone == [("expired", 4, 1), ("expired", 5, 2)]
    assert problems(game) == []


def test_what_was_read_leaves_as_a_change_too_and_lowers_nothing(game: Game) -> None:
    given_told(game, 40, 2)
    alice = player(game)
    apply([Action(player_id=alice.pk, kind=Kind.READ, through=1)])
    assert counters(game) == (3, 2, 1)
    keep(game, notification_days=30)
    sweep()
    assert counters(game) == (4, 2, 1)
    assert problems(game) == []


def test_what_left_is_told_once_whatever_the_sweep_does_again(game: Game) -> None:
    given_told(game, 40)
    keep(game, notification_days=30)
    sweep()
    sweep(NOW + timedelta(hours=1))
    assert counters(game) == (2, 1, 0)


def test_a_reward_that_waits_to_be_claimed_stays(game: Game) -> None:
    given_told(game, 400)
    Notification.objects.update(notification_class="reward", read=NOW)
    player_pk = player(game).pk
    type(player(game)).objects.filter(pk=player_pk).update(unread=0)
    keep(game, notification_days=30, notifications=1)
    sweep()
    sweep(NOW + 30 * DAY)
    assert shown(game) == ["Level 400!"]


def test_each_inbox_keeps_its_newest(game: Game) -> None:
    given_told(game, 5, 4, 3, 2, 1)
    given_told(game, 9, key="bob")
    keep(game, notifications=2)
    sweep()
    assert (shown(game), shown(game, "bob")) == (["Level 2!", "Level 1!"], ["Level 9!"])
    assert counters(game) == (8, 5, 2)
    assert problems(game) == []


def test_what_was_archived_does_not_count_among_the_newest(game: Game) -> None:
    given_told(game, 3, 2, 1)
    newest = notifications(game)[-1]
    apply([Action(player_id=player(game).pk, kind=Kind.ARCHIVE, ids=(newest.uid,))])
    keep(game, notifications=2)
    sweep()
    assert shown(game) == ["Level 3!", "Level 2!", "Level 1!"]


def test_a_long_inbox_is_cut_in_steps(game: Game) -> None:
    with time_machine.travel(NOW - 5 * DAY, tick=False):
        given_levels(game, *range(250))
        decide()
    keep(game, notifications=10)
    sweep()
    assert len(shown(game)) == 10
    assert counters(game) == (490, 250, 10)


# -- removing rows ------------------------------------------------------------------------------------------


def test_rows_go_a_week_after_they_left(game: Game) -> None:
    given_told(game, 40, 2)
    keep(game, notification_days=30)
    sweep()
    sweep(NOW + 6 * DAY)
    assert len(notifications(game)) == 2
    sweep(NOW + 8 * DAY)
    assert [row.title for row in notifications(game)] == ["Level 2!"]
    alice = player(game)
    assert (alice.removed, alice.forgotten, alice.number) == (1, 3, 2)
    assert problems(game) == []


def test_numbers_and_sequences_go_on_after_a_removal(game: Game) -> None:
    given_told(game, 40)
    keep(game, notification_days=30)
    sweep()
    sweep(NOW + 8 * DAY)
    assert not notifications(game)
    given_told(game, 0)
    row = notifications(game)[0]
    assert (row.number, row.seq) == (2, 3)
    assert counters(game) == (3, 2, 1)
    assert problems(game) == []


def test_something_unread_is_never_removed_without_a_change(game: Game) -> None:
    given_told(game, 40)
    Notification.objects.update(expires=NOW - 35 * DAY)  # and no sweep of expiries has come by
    keep(game, notification_days=30)
    sweep()
    sweep(NOW + 8 * DAY)
    assert counters(game)[2] == 0
    assert problems(game) == []


def test_by_number_rows_go_as_well(game: Game) -> None:
    given_told(game, 9, 8, 7)
    keep(game, notifications=1)
    sweep()
    sweep(NOW + 9 * DAY)
    assert [row.title for row in notifications(game)] == ["Level 7!"]
    assert player(game).removed == 2
    assert problems(game) == []


def test_a_decision_outlives_what_it_sent(game: Game) -> None:
    given_told(game, 40)
    keep(game, notification_days=30)
    sweep()
    sweep(NOW + 8 * DAY)
    decision = Decision.objects.get()
    assert decision.notification_uid
    assert decision.gates
    assert problems(game) == []


# -- decisions ----------------------------------------------------------------------------------------------


def test_old_decisions_go_and_it_is_known_from_when_on_all_are_there(game: Game) -> None:
    given_told(game, 40, 31, 2)
    assert decisions_complete_from(game.pk) is None
    keep(game, decision_days=30)
    sweep()
    assert Decision.objects.count() == 1
    assert decisions_complete_from(game.pk) == NOW - 30 * DAY
    assert player(game).decisions_removed == 2
    assert problems(game) == []


def test_a_lost_decision_is_still_found(game: Game) -> None:
    given_told(game, 40, 3, 2)
    keep(game, decision_days=30)
    sweep()
    Decision.objects.filter(pk=Decision.objects.latest("pk").pk).delete()
    assert any("retention has removed 1" in each for each in problems(game))


def test_a_lost_notification_is_still_found(game: Game) -> None:
    given_told(game, 40, 3, 2)
    keep(game, notification_days=30)
    sweep()
    sweep(NOW + 8 * DAY)
    Notification.objects.filter(pk=notifications(game)[0].pk).delete()
    assert any("retention has removed 1" in each for each in problems(game))


# -- profile history ----------------------------------------------------------------------------------------


def test_earlier_states_of_profiles_go_and_the_present_stays(game: Game) -> None:
    with time_machine.travel(NOW - 40 * DAY, tick=False):
        given_updates(game, "alice", {"locale": "de"}, {"locale": "fr"})
        given_updates(game, "bob", {"locale": "de"})
    given_updates(game, "alice", {"locale": "it"})
    keep(game, profile_days=30)
    sweep()
    left = ProfileRevision.objects.order_by("player", "revision").values_list("player__key", "locale")
    assert list(left) == [("alice", "it"), ("bob", "de")]
    assert problems(game) == []


# -- whatever happens ---------------------------------------------------------------------------------------


def test_killed_between_any_two_statements_counters_stay_true() -> None:
    statements = 0
    while True:
        game = given_game(partitions=1)
        given_rule(game)
        given_told(game, 40, 39, 2)
        keep(game, notification_days=30)
        sweeping.make_missing()
        Sweep.objects.update(due=NOW)
        killed = killed_after(statements, Sweep.objects.get(game=game, name="inboxes by age").pk)
        assert [*verify_inboxes(game.pk)] == [], f"killed after {statements} statements"
        sweep()
        assert counters(game) == (5, 3, 1), f"killed after {statements} statements"
        if not killed:
            break
        statements += 1
    assert statements > 5


def killed_after(statements: int, pk: int) -> bool:
    left = [statements]

    def kill(execute: Callable[..., Any], *args: Any) -> Any:
        if left[0] == 0:
            raise Killed
        left[0] -= 1
        return execute(*args)

    try:
        with connection.execute_wrapper(kill):
            sweeping.sweep_once(pk)
    except Killed:
        connection.close()  # as the kernel does
        return True
    return False


def test_no_sweep_walks_a_table(game: Game, monkeypatch: pytest.MonkeyPatch) -> None:
    with time_machine.travel(NOW - 40 * DAY, tick=False):
        for key in range(40):
            given_levels(game, *range(40), key=f"p{key}")
        decide()
    Notification.objects.update(created=F("created"))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    keep(game, notification_days=30, notifications=5, decision_days=30, profile_days=30)
    sweeping.make_missing()
    with recorded(monkeypatch) as statements:
        for pk in Sweep.objects.filter(part=0).values_list("pk", flat=True):
            sweeping.sweep_once(pk)
    for table in ("notifications_notification", "notifications_decision"):
        asked = [each for each in statements if f'FROM "{table}"' in each[0]]
        assert asked
        assert not [sql for sql, values in asked if walks((sql, values), table)], table
