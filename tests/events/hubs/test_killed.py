"""A hub may be killed at any instant: what it had not committed is done by the next."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from events.hubs import registry
from events.hubs.run import step_once
from events.lanes import Lane
from events.models import Checkpoint, DeadLetter
from tests.events.hubs.conftest import MakeHub
from tests.given import an_event, given_events, given_game, hubs_catch_up

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process ends here; nothing in it may catch this."""


class Killing:
    """Ends the process before its n-th statement."""

    def __init__(self, survives: int) -> None:
        """Let so many statements through."""
        self.left = survives

    def __call__(self, execute: Callable[..., Any], *args: Any) -> Any:
        """Send a statement, or end."""
        if self.left == 0:
            raise Killed
        self.left -= 1
        return execute(*args)


def killed_after(statements: int) -> bool:
    """Do one batch in a process that is killed on its way; False when the batch was over before."""
    killing = Killing(statements)
    try:
        with connection.execute_wrapper(killing):
            step_once(registry.hub("recorder"), Lane.NORMAL)
    except Killed:
        connection.close()  # as the kernel does
        Checkpoint.objects.update(noted_at=None)  # a second later
        return True
    return False


def test_a_hub_that_is_killed_between_any_two_statements_processes_each_event_once(
    recording_hub: MakeHub,
) -> None:
    hub = recording_hub()
    statements = 0
    while True:
        game = given_game(partitions=1)
        given_events(game, *[an_event(stream="s") for _ in range(3)])
        killed = killed_after(statements)
        hubs_catch_up()
        assert hub.seen(game.id) == [("s", 1), ("s", 2), ("s", 3)], f"killed after {statements} statements"
        assert not DeadLetter.objects.exists()
        if not killed:
            break
        statements += 1
    assert statements > 5
