"""On PostgreSQL, with everything going on at once on threads of its own: ``manage.py verify`` raises no false alarm."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from queue import SimpleQueue

import pytest
from django.db import OperationalError, connection

from events import erasing
from events.errors import LogUnavailable, StillNeeded
from events.hubs.run import run
from events.lanes import Lane
from events.log import witnesses
from events.models import Event, Game, Replay, Retention, Sweep
from events.replays import work
from events.retention import payloads, sweeping
from notifications import fanout
from notifications.inbox import expiry
from players import forgetting
from players.erasing import erase
from tests.config.verifying.given import CROWD, act, found, given_busy_game
from tests.events.replays.given import given_replay
from tests.given import an_event, given_events
from tests.notifications.given import given_levels, player
from tests.players.people import given_updates

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.services]
PROOFS = 4
BUSY = (LogUnavailable, OperationalError, StillNeeded)
"""What somebody who comes at a bad moment is told; the next round says it again."""


@pytest.fixture
def game() -> Game:
    payloads.forget()
    game = given_busy_game()
    Retention.objects.create(game=game, payloads=20, notifications=3, profile_days=30)
    return game


def appending(game: Game, number: int) -> None:
    given_levels(game, number, number + 1, key=CROWD[number % 7])
    given_levels(game, number, key="carol", lane=Lane.BULK)
    given_updates(game, CROWD[number % 5], {"attributes": {"n": number}})
    party = {"players": [*CROWD, f"new{number}"], "level": number}
    given_events(game, an_event(type="party.began", data=party), lane=Lane.BULK)


def following(_game: Game, _number: int) -> None:
    for lane in Lane:
        run("decisions", lane, 0.1)
        run("profiles", lane, 0.1)
    fanout.work_for(0.1)


def looking(game: Game, _number: int) -> None:
    act(game)
    expiry.work_for(0.1)
    witnesses.take()


def taking_away(game: Game, number: int) -> None:
    sweeping.make_missing()
    Sweep.objects.update(due=datetime.now(UTC))
    for pk in Sweep.objects.exclude(name=payloads.EXPORT).values_list("pk", flat=True):
        sweeping.sweep_once(pk)
    told = Event.objects.filter(game=game, type="level.reached", data__isnull=False).order_by("offset")
    erasing.erase([row.pk for row in told[:1]], "olive", "a rude name", ["notifications"])
    if number % 3 == 0:
        erase(player(game, CROWD[100 + number % 20]))
    forgetting.work_for(0.1)


def again(game: Game, _number: int) -> None:
    if not Replay.objects.filter(game=game, state__in=["waiting", "running"]).exists():
        given_replay(game)
    work.work_for(0.2)


def test_no_false_alarm_while_everything_goes_on_at_once(game: Game) -> None:
    done, wrong = threading.Event(), SimpleQueue[BaseException]()
    rounds = dict.fromkeys((appending, following, looking, taking_away, again), 0)

    def live(act_once: Callable[[Game, int], None]) -> None:
        try:
            while not done.is_set():
                try:
                    act_once(game, rounds[act_once])
                except BUSY:
                    continue
                rounds[act_once] += 1
        except BaseException as error:  # noqa: BLE001 - handed to the test
            wrong.put(error)
            done.set()
        finally:
            connection.close()

    threads = [threading.Thread(target=live, args=(each,)) for each in rounds]
    for thread in threads:
        thread.start()
    proofs = []
    try:
        while not done.is_set() and (len(proofs) < PROOFS or min(rounds.values()) < 2):
            proofs.append(found(game))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert wrong.empty(), wrong.get()
    assert [each for each in proofs if each] == []
    assert found(game) == []
