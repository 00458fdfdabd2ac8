"""What every channel must do, whatever it brings letters by."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection

from events.models import Game
from notifications.delivery import endpoints
from notifications.delivery.channel import Channel, Letter, Undelivered
from notifications.delivery.channels.memory import MemoryChannel
from notifications.delivery.channels.webhook import WebhookChannel
from notifications.models import WebhookEndpoint
from tests.events.webhooks.receiver import Receiver
from tests.given import given_game
from tests.notifications.delivery.scene import failing, given_endpoint

pytestmark = pytest.mark.django_db(transaction=True)


class Bench:
    """A channel with its other side in the test's hands."""

    channel: Channel

    def set_up(self, game: Game) -> None:
        """Let the game have the channel."""

    def switch_off(self, game: Game) -> None:
        """Let the game not have it any more."""
        raise NotImplementedError

    def fails(self, how: str) -> None:
        """Let the other side fail: 'transient', 'permanent', 'later' (in 17 s) or 'drop'."""
        raise NotImplementedError

    def arrived(self) -> list[str]:
        """Return the ids of what has arrived."""
        raise NotImplementedError

    def bodies(self) -> list[str]:
        """Return what has arrived, as text."""
        raise NotImplementedError


class MemoryBench(Bench):
    def __init__(self) -> None:
        self.channel = self.memory = MemoryChannel()
        self.games: set[int] = set()

    def set_up(self, game: Game) -> None:
        self.memory.off.discard(game.id)

    def switch_off(self, game: Game) -> None:
        self.memory.off.add(game.id)

    def fails(self, how: str) -> None:
        self.memory.faults = failing(
            how, permanent=how == "permanent", retry_after_s=17 if how == "later" else None
        )

    def arrived(self) -> list[str]:
        return [letter.id for letter in self.memory.letters]

    def bodies(self) -> list[str]:
        return [f"{letter.title} {letter.body} {letter.player}" for letter in self.memory.letters]


class WebhookBench(Bench):
    def __init__(self, receiver: Receiver) -> None:
        self.channel, self.receiver = WebhookChannel(), receiver

    def set_up(self, game: Game) -> None:
        given_endpoint(game, self.receiver.url)

    def switch_off(self, game: Game) -> None:
        endpoint = WebhookEndpoint.objects.get(game=game)
        endpoint.enabled = False
        endpoints.save(endpoint, "olive")

    def fails(self, how: str) -> None:
        self.receiver.status = {"transient": 500, "permanent": 410, "later": 429, "drop": "drop"}[how]
        self.receiver.headers = {"Retry-After": "17"} if how == "later" else {}

    def arrived(self) -> list[str]:
        return self.receiver.ids

    def bodies(self) -> list[str]:
        return [call.body.decode() for call in self.receiver.calls]


@pytest.fixture(params=["memory", "webhook"])
def bench(request: pytest.FixtureRequest, receiver: Receiver) -> Bench:
    return MemoryBench() if request.param == "memory" else WebhookBench(receiver)


@pytest.fixture
def game(bench: Bench) -> Game:
    game = given_game()
    bench.set_up(game)
    return game


def a_letter(game: Game, **changes: Any) -> Letter:
    uid = uuid4()
    letter = Letter(
        id=f"{uid}:channel", uid=uid, game=game.slug, player="alice-the-secret", number=3, class_="inbox",
        category="social", title="Zażółć 🎉", body="A very private matter", data='{"level":7}', actions="[]",
        created=datetime(2026, 11, 25, 12, tzinfo=UTC), expires=None,
    )  # fmt: skip
    return replace(letter, **changes)


@pytest.fixture
def send(bench: Bench, game: Game) -> Callable[[Letter], None]:
    route = bench.channel.route(game.id)
    assert route is not None
    return lambda letter: bench.channel.send(letter, route)


def test_a_game_that_has_not_set_it_up_or_has_switched_it_off_has_no_route(bench: Bench, game: Game) -> None:
    assert bench.channel.route(game.id) is not None
    bench.switch_off(game)
    assert bench.channel.route(game.id) is None


def test_a_letter_arrives_with_its_id_and_words(
    bench: Bench, game: Game, send: Callable[[Letter], None]
) -> None:
    letter = a_letter(game)
    send(letter)
    assert bench.arrived() == [letter.id]
    (body,) = bench.bodies()
    for part in (letter.title, letter.body, letter.player):
        assert part in body


def test_the_same_letter_is_the_same_again(bench: Bench, game: Game, send: Callable[[Letter], None]) -> None:
    letter = a_letter(game)
    send(letter)
    send(letter)
    first, second = bench.bodies()
    assert first == second
    assert bench.arrived() == [letter.id] * 2


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("transient", (False, None)),
        ("permanent", (True, None)),
        ("later", (False, 17)),
        ("drop", (False, None)),
    ],
)
def test_a_failure_says_whether_it_is_permanent_and_tells_nothing_of_the_letter(
    bench: Bench,
    game: Game,
    send: Callable[[Letter], None],
    how: str,
    expected: tuple[bool, float | None],
) -> None:
    bench.fails(how)
    letter = a_letter(game)
    with pytest.raises(Undelivered) as fault:
        send(letter)
    assert (fault.value.permanent, fault.value.retry_after_s) == expected
    told = f"{fault.value.error} {fault.value}"
    assert fault.value.error
    assert len(fault.value.error) <= 60
    for private in (letter.player, letter.title, letter.body, "whsec", "/hooks"):
        assert private not in told


def test_many_threads_may_send_at_once_without_a_database(
    bench: Bench, game: Game, send: Callable[[Letter], None]
) -> None:
    letters = [a_letter(game) for _ in range(12)]
    faults: list[BaseException] = []

    def run(letter: Letter) -> None:
        def refuse(*_: Any) -> None:
            raise AssertionError("a channel must not use the database while it sends")

        try:
            with connection.execute_wrapper(refuse):
                send(letter)
        except BaseException as fault:  # noqa: BLE001 - told on the test's own thread
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(letter,)) for letter in letters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert faults == []
    assert sorted(bench.arrived()) == sorted(letter.id for letter in letters)


def test_a_letter_and_a_route_keep_secrets_and_words_out_of_what_is_printed(game: Game) -> None:
    assert "private" not in repr(a_letter(game))
    assert "alice-the-secret" not in repr(a_letter(game))


def test_a_webhook_is_signed_over_exactly_what_is_sent(receiver: Receiver) -> None:
    game = given_game()
    _, secret = given_endpoint(game, receiver.url)
    channel = WebhookChannel()
    route = channel.route(game.id)
    assert route
    letter = a_letter(game)
    channel.send(letter, route)
    (call,) = receiver.calls
    assert call.fits(secret)
    assert call.headers["webhook-id"] == letter.id
    told = json.loads(call.body)
    assert told["type"] == "notification.sent"
    assert told["data"]["player"] == "alice-the-secret"
    assert told["data"]["notification"] == {
        "id": str(letter.uid), "number": 3, "class": "inbox", "category": "social", "title": letter.title,
        "body": letter.body, "data": {"level": 7}, "actions": [], "created": "2026-11-25T12:00:00Z", "expires": None,
    }  # fmt: skip
