"""The simulated game sends while somebody looks, and knows its ends. Its clock and its server are ours here."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest

from config.demo import simulator
from config.demo.install import install
from config.demo.simulator import EVENTS_MAX, NOBODY_LOOKS_S, RETRY_S, Simulator, somebody_looks
from players import presence
from players.models import Gateway, Player
from tests.given import hubs_catch_up

GATEWAY = UUID(int=7)


class World:
    """Time that passes only by waiting, a server that keeps what it gets, and a look at the page."""

    def __init__(self) -> None:
        self.now = 0.0
        self.ends = float("inf")
        self.sent: list[tuple[float, dict[str, Any]]] = []
        self.looked_at = True
        self.asked: list[float] = []
        self.answers: list[Exception] = []
        self.closed = False

    def clock(self) -> float:
        return self.now

    def wait(self, seconds: float) -> bool:
        self.now += seconds
        return self.now >= self.ends

    def looks(self) -> bool:
        self.asked.append(self.now)
        return self.looked_at

    def send(self, event: dict[str, Any]) -> None:
        if self.answers:
            raise self.answers.pop(0)
        self.sent.append((self.now, event))

    def close(self) -> None:
        self.closed = True

    def simulator(self) -> Simulator:
        return Simulator(self, looked_at=self.looks, clock=self.clock, wait=self.wait)


@pytest.fixture
def world() -> World:
    return World()


def refusal(status: int) -> Exception:
    request = httpx.Request("POST", "http://clarion/api/v1/events")
    return httpx.HTTPStatusError("refused", request=request, response=httpx.Response(status, request=request))


def test_it_sends_a_few_events_a_second(world: World) -> None:
    world.ends = 600
    sent = world.simulator().run()
    assert 1 <= sent / 600 <= 5
    assert len({event["id"] for _, event in world.sent}) == sent


def test_it_ends_after_fifty_thousand_events(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    assert EVENTS_MAX == 50_000
    monkeypatch.setattr(simulator, "EVENTS_MAX", 500)
    assert world.simulator().run() == 500
    assert len(world.sent) == 500


def test_it_rests_once_nobody_has_looked_for_ten_minutes(world: World) -> None:
    assert NOBODY_LOOKS_S == 600
    world.looked_at, world.ends = False, 3_600
    world.simulator().run()
    assert 590 <= world.sent[-1][0] < 600


def test_a_look_wakes_it_for_another_ten_minutes(world: World) -> None:
    world.ends = 3_600
    plain = world.looks

    def once_after_half_an_hour() -> bool:
        plain()
        return 1_800 <= world.now < 1_811

    Simulator(world, looked_at=once_after_half_an_hour, clock=world.clock, wait=world.wait).run()
    times = [at for at, _ in world.sent]
    assert not [at for at in times if 600 <= at < 1_800]
    assert [at for at in times if 1_811 <= at < 2_390]
    assert max(times) < 2_412


def test_it_asks_seldom_whether_somebody_looks(world: World) -> None:
    world.ends = 600
    world.simulator().run()
    assert len(world.asked) <= 60


def test_a_server_that_is_away_is_asked_again_later(world: World) -> None:
    world.answers = [httpx.ConnectError("away"), refusal(503), httpx.ReadTimeout("slow")]
    world.ends = 60
    world.simulator().run()
    assert not world.answers
    assert world.sent[0][0] > 3 * RETRY_S


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_key_ends_it(world: World, status: int) -> None:
    world.answers = [refusal(status)]
    assert world.simulator().run() == 0
    assert world.now < 1


def test_a_stop_ends_it_and_its_connection_is_given_back() -> None:
    world = World()
    running = Simulator(world, looked_at=lambda: True)
    running.stop()
    running.start()
    wait_until(lambda: world.closed)
    assert world.sent == []


def wait_until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    assert holds()


@pytest.mark.django_db(transaction=True)
def test_a_demo_player_with_a_socket_is_somebody_who_looks() -> None:
    game = install()
    hubs_catch_up()
    assert not somebody_looks()
    presence.renew(GATEWAY, "here", 1)
    presence.arrived(GATEWAY, [Player.objects.get(game=game, key="alice").pk])
    assert somebody_looks()
    Gateway.objects.update(lease_until=datetime.now(UTC))
    assert not somebody_looks()
