"""A drain may be killed at any instant, while the log grows: each event once, in order, and nothing is left."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from events.hubs import registry
from events.hubs.letters import skipping, work
from events.hubs.letters.drain import drain
from events.hubs.projection import Prepared
from events.hubs.run import step_once
from events.lanes import Lane
from events.log.logged import LoggedEvent
from events.models import Checkpoint, DeadLetter, LetterStep
from tests.events.hubs.conftest import MakeHub
from tests.events.hubs.letters.parked import Poison, due_now, given_parked
from tests.events.hubs.recording import Recording
from tests.events.hubs.test_killed import Killed, Killing
from tests.given import an_event, given_events, hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)

LONG_S = 60.0


def killed_after(statements: int, doing: Callable[[], Any]) -> bool:
    """Do something in a process that is killed on its way; False when it was over before."""
    try:
        with connection.execute_wrapper(Killing(statements)):
            doing()
    except Killed:
        connection.close()  # as the kernel does
        longer_ago()
        return True
    return False


def longer_ago() -> None:
    """Let what was noted look as after a while."""
    Checkpoint.objects.update(noted_at=None)
    DeadLetter.objects.filter(noted_by__isnull=False).update(
        noted_at=datetime.now(UTC) - timedelta(minutes=1)
    )


def all_goes_well() -> None:
    """Retry and run until nothing waits."""
    for _ in range(3):
        due_now()
        work.work_for(LONG_S)
        hubs_catch_up()


class Growing(Recording):
    """The log grows, and the live run goes on, between the two halves of each step of a drain."""

    def prepare(self, events: Sequence[LoggedEvent]) -> Prepared:
        """Append and run, but not within itself."""
        if self.growth:
            given_events(self.growth.pop(), an_event(stream="s"), an_event(stream="t"))
            step_once(registry.hub("recorder"), Lane.NORMAL)
        return super().prepare(events)

    growth: list[Any]


def test_a_drain_that_is_killed_between_any_two_statements_processes_each_event_once(
    recording_hub: MakeHub,
) -> None:
    statements = 0
    while True:
        poison = Poison(("s", 1))
        game, hub = given_parked(recording_hub, poison)
        hub.__class__, hub.growth = Growing, [game, game]  # type: ignore[attr-defined]
        poison.places.clear()
        letter = DeadLetter.objects.get(resolved=None)
        killed = killed_after(statements, lambda pk=letter.pk: drain(pk, LONG_S))  # type: ignore[misc]
        hub.growth.clear()  # type: ignore[attr-defined]
        given_events(game, an_event(stream="s"))
        all_goes_well()
        seen = [version for stream, version in hub.seen(game.id) if stream == "s"]
        assert seen == list(range(1, len(seen) + 1)), f"killed after {statements} statements"
        assert len(seen) >= 4
        assert not DeadLetter.objects.filter(resolved=None).exists()
        DeadLetter.objects.all().delete()
        if not killed:
            break
        statements += 1
    assert statements > 20


def test_a_live_run_that_is_killed_while_a_letter_is_drained_leaves_no_gap(recording_hub: MakeHub) -> None:
    statements = 0
    while True:
        poison = Poison(("s", 1))
        game, hub = given_parked(recording_hub, poison)
        poison.places.clear()
        given_events(game, an_event(stream="s"), an_event(stream="t"), an_event(stream="s"))
        killed = killed_after(statements, lambda: step_once(registry.hub("recorder"), Lane.NORMAL))
        drain(DeadLetter.objects.get(resolved=None).pk, LONG_S)
        all_goes_well()
        assert [version for stream, version in hub.seen(game.id) if stream == "s"] == [1, 2, 3, 4, 5]
        if not killed:
            break
        statements += 1
    assert statements > 5


def test_a_skip_that_is_killed_has_skipped_one_or_none(recording_hub: MakeHub) -> None:
    statements = 0
    while True:
        game, hub = given_parked(recording_hub, Poison(("s", 2)), events=4)
        letter = DeadLetter.objects.get(resolved=None)

        def skip(row: DeadLetter = letter) -> None:
            skipping.skip_one(row, version=2, by="olive", reason="broken")

        killed = killed_after(statements, skip)
        if not LetterStep.objects.filter(letter=letter, outcome=LetterStep.Outcome.SKIPPED).exists():
            skip()
        all_goes_well()
        assert [version for stream, version in hub.seen(game.id) if stream == "s"] == [1, 3, 4], (
            f"killed after {statements} statements"
        )
        if not killed:
            break
        statements += 1
    assert statements > 5
