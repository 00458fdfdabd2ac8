"""Wherever in a turn the database goes away, or the process: it is sent all the same, with one id from one row."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection

from notifications.delivery import turns
from notifications.models import Delivery
from tests.given import given_game
from tests.notifications.delivery.scene import FOREVER, deliver, fresh, given_memory, make_due
from tests.notifications.given import decide, given_levels, given_rule

pytestmark = pytest.mark.django_db(transaction=True)


class Killed(BaseException):
    """The process ends here; nothing in it may catch this."""


class Gone:
    """Lets so many statements through, and none after them."""

    def __init__(self, survives: int, fault: BaseException) -> None:
        self.left, self.fault, self.met = survives, fault, False

    def __call__(self, execute: Callable[..., Any], *args: Any) -> Any:
        if self.left == 0:
            self.met = True
            raise self.fault
        self.left -= 1
        return execute(*args)


def broken_after(statements: int, fault: BaseException) -> bool:
    """Work for one turn that breaks on its way; False when it was over before."""
    gone = Gone(statements, fault)
    try:
        with connection.execute_wrapper(gone):
            turns.work_for(FOREVER)
    except Killed:
        connection.close()  # as the kernel does
    return gone.met


@pytest.mark.parametrize(
    "fault", [Killed(), OperationalError("the connection is closed")], ids=["killed", "no database"]
)
def test_what_breaks_between_any_two_statements_is_sent_with_one_id_from_one_row(
    fault: BaseException,
) -> None:
    game = given_game(partitions=1)
    channel = given_memory(game)
    given_rule(game, channels=[channel.name])
    statements, broken = 0, True
    while broken:
        given_levels(game, statements)
        decide()
        row = Delivery.objects.latest("id")
        channel.letters.clear()
        broken = broken_after(statements, fault)
        if fresh(row).state != "sent":
            make_due(row)  # a minute later
        deliver()
        assert fresh(row).state == "sent", f"broken after {statements} statements"
        assert {letter.id for letter in channel.letters} == {row.idempotency_id}
        assert len(channel.letters) <= 2
        assert Delivery.objects.count() == statements + 1
        statements += 1
    assert statements > 8
