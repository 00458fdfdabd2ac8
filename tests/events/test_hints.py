"""Hints: one task per hub and lane, without payload, gathered; and whatever the broker does, nobody waits for it."""

from collections.abc import Iterator
from queue import Empty, Queue
from threading import Event as Flag
from typing import Any

import pytest
from amqp.exceptions import AccessRefused
from celery import current_app
from django.db import connection
from kombu.exceptions import OperationalError

from events import breakers, hints
from events.breakers import Circuit
from events.lanes import Lane
from events.models import Event
from tests.given import an_event, given_events, given_game

PATIENCE_S = 20


class Broker:
    """Takes what is sent; ``answer`` may raise, or wait."""

    def __init__(self) -> None:
        self.sent: Queue[tuple[str, dict[str, Any]]] = Queue()
        self.answer: Any = lambda: None

    def send_task(self, name: str, **options: Any) -> None:
        self.sent.put((name, options))
        self.answer()

    def next(self) -> tuple[Any, ...]:
        """Wait for the next task; return its hub and lane."""
        name, options = self.sent.get(timeout=PATIENCE_S)
        assert name == "events.run_hub"
        return tuple(options["args"])


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Broker]:
    """A broker, and a sender that has sent nothing yet; hubs ``a`` (all lanes) and ``b`` (urgent) listen."""
    broker = Broker()
    monkeypatch.setattr(current_app._get_current_object(), "send_task", broker.send_task)
    monkeypatch.setattr(hints, "_sender", hints._Sender())
    monkeypatch.setattr(hints, "listeners", {"a": tuple(Lane), "b": (Lane.URGENT,)})
    monkeypatch.setattr(hints, "PAUSE_AFTER_SURPRISE_S", 0.001)
    yield broker
    broker.answer = lambda: None


def test_a_hint_wakes_each_hub_that_follows_the_lane(broker: Broker) -> None:
    hints.hint([Lane.URGENT])
    assert {broker.next(), broker.next()} == {("a", 0), ("b", 0)}
    hints.hint([Lane.BULK])
    assert broker.next() == ("a", 2)
    hints.hint([])
    hints.hint([Lane.NORMAL])
    assert broker.next() == ("a", 1)


def test_urgent_is_sent_first(broker: Broker) -> None:
    hints.hint([Lane.BULK, Lane.NORMAL, Lane.URGENT])
    assert [broker.next()[1] for _ in range(4)] == [0, 0, 1, 2]


def test_a_hint_carries_nothing_but_hub_and_lane_and_goes_to_its_lanes_queue(broker: Broker) -> None:
    hints.wake("a", Lane.URGENT)
    hints.wake("a", Lane.BULK)
    urgent, bulk = (broker.sent.get(timeout=PATIENCE_S)[1] for _ in range(2))
    assert (urgent["args"], urgent["queue"]) == (("a", 0), "urgent")
    assert (bulk["args"], bulk["queue"]) == (("a", 2), "default")
    assert urgent["retry"] is False
    assert not set(urgent) - {"args", "queue", "retry", "ignore_result"}


def test_hints_that_come_while_one_is_being_sent_are_one(broker: Broker) -> None:
    sending, go = Flag(), Flag()

    def slow() -> None:
        sending.set()
        assert go.wait(PATIENCE_S)

    broker.answer = slow
    hints.hint([Lane.NORMAL])
    assert sending.wait(PATIENCE_S)
    for _ in range(1_000):
        hints.hint([Lane.NORMAL])
    go.set()
    assert [broker.next(), broker.next()] == [("a", 1), ("a", 1)]
    with pytest.raises(Empty):
        broker.sent.get(timeout=0.1)


@pytest.mark.parametrize(
    "fault",
    [OSError("refused"), OperationalError("refused"), AccessRefused("odd"), ValueError("odder")],
    ids=lambda fault: type(fault).__name__,
)
def test_a_broker_that_is_away_costs_the_caller_nothing_and_is_asked_again(
    broker: Broker, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> None:
        raise fault

    known_as_away(monkeypatch, PATIENCE_S)
    broker.answer = away
    hints.hint([Lane.NORMAL])
    assert broker.next() == ("a", 1)
    broker.answer = lambda: None
    breakers.BROKER.reset()  # as its probe does when the broker is back
    while True:
        hints.hint([Lane.BULK])
        try:
            assert broker.sent.get(timeout=0.1)[1]["args"] == ("a", 2)
        except Empty:
            continue
        break


def known_as_away(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Keep the breaker open once it is."""
    monkeypatch.setattr(breakers.BROKER, "_new_circuit", lambda: Circuit(first_s=seconds, longest_s=seconds))
    breakers.BROKER.reset()


def test_while_the_broker_is_known_to_be_away_nothing_is_sent_and_who_wakes_is_told_at_once(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    known_as_away(monkeypatch, PATIENCE_S)
    breakers.broker_is_blocked("low on memory")
    failed = hints.failed._value.get()
    with pytest.raises(hints.BrokerAway):
        hints.wake("a", Lane.URGENT)
    hints.hint([Lane.NORMAL])
    with pytest.raises(Empty):
        broker.sent.get(timeout=0.1)
    assert hints.failed._value.get() >= failed + 1


@pytest.mark.parametrize("fault", [OSError("refused"), OperationalError("refused")], ids=repr)
def test_who_wakes_a_hub_at_once_is_told_that_the_broker_is_away(broker: Broker, fault: Exception) -> None:
    def away() -> None:
        raise fault

    broker.answer = away
    failed = hints.failed._value.get()
    with pytest.raises(type(fault)):
        hints.wake("a", Lane.NORMAL)
    assert hints.failed._value.get() == failed + 1


@pytest.mark.django_db(transaction=True)
def test_an_append_hints_at_the_lanes_that_got_work_after_its_commit(broker: Broker) -> None:
    stored: Queue[int] = Queue()

    def count() -> None:
        stored.put(Event.objects.count())
        connection.close()

    broker.answer = count
    game = given_game()
    given_events(game, an_event(id="once"), an_event(), lane=Lane.BULK)
    assert broker.next() == ("a", 2)
    assert stored.get(timeout=PATIENCE_S) == 2
    given_events(game, an_event(id="once"), lane=Lane.NORMAL)
    with pytest.raises(Empty):
        broker.sent.get(timeout=0.1)


@pytest.mark.django_db(transaction=True)
def test_a_broker_that_never_answers_holds_up_no_append(broker: Broker) -> None:
    go = Flag()
    broker.answer = lambda: go.wait(PATIENCE_S)
    game = given_game()
    for _ in range(3):
        assert given_events(game, an_event())
    assert Event.objects.count() == 3
    go.set()


def test_a_forked_process_has_a_sender_of_its_own(broker: Broker) -> None:
    hints.hint([Lane.NORMAL])
    broker.next()
    hints._sender._reset()  # what the fork does in the child
    hints.hint([Lane.NORMAL])
    assert broker.next() == ("a", 1)
