"""A projection that hangs is ended while it hangs; its try counts, and others go on."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from django.db import connection

from events.hubs import hanging
from events.hubs.hanging import Stopwatch
from events.hubs.letters.drain import Came, drain
from events.hubs.run import run
from events.hubs.watchdog import watchdog
from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.models import Checkpoint, DeadLetter
from tests.events.hubs.conftest import MakeHub
from tests.given import an_event, given_events, given_game, hubs_catch_up

AT_MOST_S = 10


class Clock:
    """Seconds that only tests move."""

    def __init__(self) -> None:
        """Start anywhere."""
        self.now = 50.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Tarpit:
    """Keeps whoever gives it an event with a certain data, until it is let go."""

    def __init__(self, secret: str = "stuck") -> None:
        """Keep nobody yet."""
        self._secret = secret
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def __call__(self, event: LoggedEvent) -> None:
        """Keep this one, or let it pass."""
        if event.data and self._secret in event.data and not self.let_go.is_set():
            self.entered.set()
            self.let_go.wait()


@contextmanager
def on_a_thread(work: Callable[[], object], let_go: threading.Event) -> Iterator[threading.Thread]:
    """Work on another thread, which is let go at the end whatever happens."""

    def target() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    try:
        yield thread
    finally:
        let_go.set()
        thread.join(AT_MOST_S)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Return what makes everything that runs at this moment hang, and judges it."""

    def judge() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(hanging, "HANGS_S", 0.0)
            watchdog.look()

    return judge


@pytest.mark.django_db
def test_time_in_the_database_does_not_count() -> None:
    clock = Clock()
    watch = Stopwatch(lived=clock, cpu=lambda: 0.0)

    def slow(execute: Callable[..., Any], *args: Any) -> Any:
        clock.now += 60
        assert not watch.hangs()
        return execute(*args)

    with watch.running():
        with connection.execute_wrapper(slow), connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        clock.now += hanging.HANGS_S - 0.1
        assert not watch.hangs()
        clock.now += 0.2
        assert watch.hangs()
    assert watch.hung


@pytest.mark.django_db(transaction=True)
def test_a_hang_is_ended_while_it_lasts_and_its_events_are_tried_alone(
    recording_hub: MakeHub, at_once: Callable[[], None]
) -> None:
    tarpit = Tarpit()
    hub = recording_hub(on_apply=tarpit)
    game = given_game(partitions=1)
    given_events(game, an_event(stream="s"), an_event(stream="t", data="stuck"), an_event(stream="s"))
    with on_a_thread(lambda: run("recorder", Lane.NORMAL), tarpit.let_go) as hung:
        assert tarpit.entered.wait(AT_MOST_S)
        at_once()
        checkpoint = Checkpoint.objects.get(hub="recorder", lane=Lane.NORMAL)
        assert (checkpoint.alone_left > 0, checkpoint.noted_tries, checkpoint.noted_at) == (True, 0, None)
        assert hub.seen(game.id) == []  # what it had written went with it
        tarpit.let_go.set()
        hubs_catch_up()  # on SQLite this takes the turn that it had
        hung.join(AT_MOST_S)
    assert sorted(hub.seen(game.id)) == [("s", 1), ("s", 2), ("t", 1)]
    assert not DeadLetter.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_hangs_each_time_is_parked_with_the_places_where_it_hangs_and_no_values(
    recording_hub: MakeHub, at_once: Callable[[], None]
) -> None:
    tarpit = Tarpit("secret-of-a-player")
    hub = recording_hub(on_apply=tarpit)
    game = given_game(partitions=1)
    given_events(game, an_event(stream="t", data="secret-of-a-player"), an_event(stream="s"))
    with ExitStack() as threads:
        for tries in range(4):
            tarpit.entered.clear()
            threads.enter_context(on_a_thread(lambda: run("recorder", Lane.NORMAL), tarpit.let_go))
            assert tarpit.entered.wait(AT_MOST_S)
            assert DeadLetter.objects.count() == 0, f"parked after {tries} tries"
            at_once()
        letter = DeadLetter.objects.get()
        assert (letter.cause, letter.stream, letter.tries) == ("Hung", "t", 3)
        assert "recording.py" in letter.traceback
        assert "secret-of-a-player" not in letter.traceback
        hubs_catch_up()
        assert hub.seen(game.id) == [("s", 1)]
    assert hub.seen(game.id) == [("s", 1)]  # those that came back wrote nothing


@pytest.mark.django_db(transaction=True)
def test_a_letter_whose_retry_hangs_has_failed_once_more(
    recording_hub: MakeHub, at_once: Callable[[], None]
) -> None:
    faults = [ValueError("poison")] * 5
    tarpit = Tarpit()

    def poison(event: LoggedEvent) -> None:
        if faults:
            raise faults.pop()
        tarpit(event)

    hub = recording_hub(on_apply=poison)
    game = given_game(partitions=1)
    given_events(game, an_event(stream="t", data="stuck"))
    hubs_catch_up()
    letter = DeadLetter.objects.get()
    came: list[tuple[Came, int]] = []
    with on_a_thread(lambda: came.append(drain(letter.pk, 60)), tarpit.let_go) as hung:
        assert tarpit.entered.wait(AT_MOST_S)
        at_once()
        letter.refresh_from_db()
        assert (letter.cause, letter.noted_by, letter.resolved) == ("Hung", None, None)
        assert [step.outcome for step in letter.steps.all()] == ["failed"]
        tarpit.let_go.set()
        hung.join(AT_MOST_S)
    assert came == [(Came.FAILED, 0)]
    assert drain(letter.pk, 60) == (Came.RESOLVED, 1)
    assert hub.seen(game.id) == [("t", 1)]


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_hangs_is_followed_by_another_and_ends(
    recording_hub: MakeHub, at_once: Callable[[], None]
) -> None:
    entered, followed, goes_on = threading.Event(), threading.Event(), threading.Event()

    def computes_for_ever(_: LoggedEvent) -> None:
        entered.set()
        while not goes_on.is_set():
            pass

    recording_hub(on_apply=computes_for_ever)
    given_events(given_game(partitions=1), an_event())

    def work() -> None:
        with watchdog.followed(by=followed.set):
            run("recorder", Lane.NORMAL)

    with on_a_thread(work, goes_on) as hung:
        assert entered.wait(AT_MOST_S)
        at_once()
        assert followed.is_set()
        hung.join(AT_MOST_S)
        assert not hung.is_alive()


CHILD = """
import django; django.setup()
import threading
from events.hubs.watchdog import watchdog

class Hangs:
    thread = threading.get_ident()
    def hangs(self): return True
    def judge(self, stack): print("judged", flush=True)

watchdog.end_process_on_hang()
with watchdog.watching(Hangs()):
    threading.Event().wait(5)
print("came back")
"""


def test_a_process_that_others_replace_is_ended() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", CHILD], capture_output=True, text=True, check=False, timeout=120
    )
    assert (ended.returncode, ended.stdout) == (-9, "judged\n"), ended.stderr
