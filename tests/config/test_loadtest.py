"""The load test counts honestly, and says so in figures that scripts can rely on."""

import json
from argparse import ArgumentParser
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from websockets.asyncio.server import ServerConnection, serve

from config.loadtest.devices import Device, DeviceLost, socket_url
from config.loadtest.plan import Plan
from config.loadtest.tally import Tally
from config.management.commands.loadtest import Command

NOWHERE = "http://127.0.0.1:1"
Talk = Callable[[ServerConnection], Awaitable[None]]


def a_plan(**fields: Any) -> Plan:
    """Return a plan; what is not given is plausible."""
    given = {"url": "http://x", "game": "demo", "key": "k", "players": 3, "events": 7, "run": "abcd"}
    return Plan(**{**given, **fields})


def a_notification(number: int, run: str = "abcd") -> dict[str, Any]:
    """Return what the demo's rule makes of an event of a run."""
    return {"id": f"n{number}", "title": f"lt-{run}-{number}- wants you", "body": ""}


# -- the plan ------------------------------------------------------------------------------------------


def test_each_event_goes_to_one_of_the_players_and_is_recognised_by_its_marker() -> None:
    plan = a_plan()
    events = [plan.event(n) for n in range(plan.events)]
    assert {event["data"]["player_id"] for event in events} == {"load-0", "load-1", "load-2"}
    assert all(event["partitionkey"] == event["data"]["player_id"] for event in events)
    assert len({event["id"] for event in events}) == plan.events
    assert plan.marker(1) not in plan.event(11)["data"]["guild"]


def test_two_runs_have_no_event_in_common() -> None:
    first, second = (Plan(url="", game="", key="", players=1, events=1) for _ in range(2))
    assert first.event(0)["id"] != second.event(0)["id"]


@pytest.mark.parametrize(("events", "batch", "sizes"), [(7, 3, [3, 3, 1]), (6, 3, [3, 3]), (2, 5, [2])])
def test_batches_hold_every_event_once(events: int, batch: int, sizes: list[int]) -> None:
    batches = list(a_plan(events=events, batch=batch).batches())
    assert [len(numbers) for numbers in batches] == sizes
    assert [n for numbers in batches for n in numbers] == list(range(events))


def test_a_plan_never_shows_its_key() -> None:
    assert "hunter2" not in repr(a_plan(key="hunter2"))


# -- the tally -----------------------------------------------------------------------------------------


def test_a_run_without_a_fault_has_kept_every_promise() -> None:
    tally = Tally("abcd")
    for n in range(100):
        tally.posted(n, at=n)
        tally.accepted({n: n + 1}, at=n + 0.5)
        tally.arrived("alice", a_notification(n), at=n + (n + 1) / 1000)
    result = tally.result()
    assert result.kept
    assert (result.p50_ms, result.p95_ms, result.p99_ms, result.mean_ms) == (50.0, 95.0, 99.0, 50.5)
    assert (result.lost, result.doubled, result.out_of_order) == (0, 0, 0)
    assert result.accepted_per_s == round(100 / 99.5, 1)
    assert result.delivered_per_s == round(100 / 99.1, 1)


def test_what_did_not_arrive_is_lost() -> None:
    tally = Tally("abcd")
    tally.posted(0, at=0)
    tally.posted(1, at=0)
    tally.arrived("alice", a_notification(1), at=1)
    assert tally.waiting == 1
    assert tally.result().lost == 1
    assert not tally.result().kept


def test_what_arrived_twice_is_doubled() -> None:
    tally = Tally("abcd")
    tally.posted(0, at=0)
    for _ in range(2):
        tally.arrived("alice", a_notification(0), at=1)
    assert (tally.result().doubled, tally.result().lost) == (1, 0)
    assert not tally.result().kept


def test_order_is_the_logs_and_not_that_of_posts_under_way_together() -> None:
    tally = Tally("abcd")
    for n in range(3):
        tally.posted(n, at=0)
    tally.accepted({0: 2}, at=1)
    tally.accepted({1: 1, 2: 3}, at=1)
    for n in (1, 0, 2):
        tally.arrived("alice", a_notification(n), at=2)
    assert tally.result().out_of_order == 0
    late = Tally("abcd")
    late.posted(0, at=0)
    late.accepted({0: 1, 1: 2}, at=1)
    late.arrived("alice", a_notification(1), at=2)
    late.arrived("alice", a_notification(0), at=3)
    assert late.result().out_of_order == 1
    assert not late.result().kept


def test_each_player_has_an_order_of_their_own() -> None:
    tally = Tally("abcd")
    tally.accepted({0: 1, 1: 1}, at=1)
    tally.arrived("bob", a_notification(1), at=2)
    tally.arrived("alice", a_notification(0), at=3)
    assert tally.out_of_order == 0


def test_other_runs_and_other_notifications_do_not_count() -> None:
    tally = Tally("abcd")
    tally.posted(1, at=0)
    tally.arrived("alice", a_notification(1, run="ef01"), at=1)
    tally.arrived("alice", {"id": "x", "title": "Level 5!", "body": "lt-abcd-"}, at=1)
    assert tally.waiting == 1


def test_nothing_measured_is_no_division_by_zero() -> None:
    assert Tally("abcd").result().p50_ms == 0.0


# -- one device, against a server that this file plays ----------------------------------------------------


@asynccontextmanager
async def playing(talk: Talk) -> AsyncIterator[tuple[Device, list[str]]]:
    """Give a device of a server that talks like this, and the ids of what is new to it."""
    new: list[str] = []
    async with serve(talk, "127.0.0.1", 0, subprotocols=["clarion.v1"]) as server:  # type: ignore[list-item]
        port = server.sockets[0].getsockname()[1]
        yield Device(f"http://127.0.0.1:{port}", "alice", "t", lambda _, item: new.append(item["id"])), new


async def say(socket: ServerConnection, **frame: Any) -> None:
    """Send a frame as the server does."""
    await socket.send(json.dumps(frame))


async def changes(socket: ServerConnection, from_: int, to: int) -> None:
    """Send the changes of a range."""
    items = [{"id": f"n{seq}", "seq": seq} for seq in range(from_ + 1, to + 1)]
    await say(socket, type="changes", **{"from": from_, "to": to}, items=items)


async def hello(socket: ServerConnection, head: int = 0) -> None:
    """Hear the connect, and answer it."""
    assert json.loads(await socket.recv())["type"] == "connect"
    await say(socket, type="ready", epoch="e1", head=head)


async def test_a_repeated_frame_shows_nothing_again() -> None:
    async def talk(socket: ServerConnection) -> None:
        await hello(socket, head=5)
        for from_, to in ((5, 7), (5, 7), (6, 7), (7, 8)):
            await changes(socket, from_, to)

    async with playing(talk) as (device, new):
        with pytest.raises(DeviceLost):
            await device.run()
    assert new == ["n6", "n7", "n8"]


async def test_a_gap_shows_nothing_and_asks_for_what_is_missing() -> None:
    async def talk(socket: ServerConnection) -> None:
        await hello(socket)
        await changes(socket, 2, 3)
        asked = json.loads(await socket.recv())
        assert asked == {"type": "sync", "since": {"epoch": "e1", "seq": 0}}
        await say(socket, type="ready", epoch="e1", head=3)
        await changes(socket, 0, 3)

    async with playing(talk) as (device, new):
        with pytest.raises(DeviceLost):
            await device.run()
    assert new == ["n1", "n2", "n3"]


async def test_a_heartbeat_that_is_ahead_is_a_gap_too() -> None:
    asked = []

    async def talk(socket: ServerConnection) -> None:
        await hello(socket)
        await say(socket, type="heartbeat", head=1)
        asked.append(json.loads(await socket.recv())["type"])

    async with playing(talk) as (device, _):
        with pytest.raises(DeviceLost):
            await device.run()
    assert asked == ["sync"]


async def test_a_device_acks_what_it_has_and_speaks_when_there_is_nothing_to_ack(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("config.loadtest.devices.PING_S", 0.4)
    said = []

    async def talk(socket: ServerConnection) -> None:
        await hello(socket)
        await changes(socket, 0, 20)
        said.extend([json.loads(await socket.recv()) for _ in range(2)])

    async with playing(talk) as (device, _):
        with pytest.raises(DeviceLost):
            await device.run()
    assert said == [{"type": "ack", "seq": 20}, {"type": "ping"}]


async def test_a_socket_that_the_server_closes_ends_the_test_with_its_code() -> None:
    async def talk(socket: ServerConnection) -> None:
        await hello(socket)
        await socket.close(4103)

    async with playing(talk) as (device, _):
        with pytest.raises(DeviceLost, match="alice's socket with 4103"):
            await device.run()


def test_sockets_are_where_the_server_is() -> None:
    assert socket_url("http://127.0.0.1:8000") == "ws://127.0.0.1:8000/ws/v1/player"
    assert socket_url("https://clarion.example.com/") == "wss://clarion.example.com/ws/v1/player"


# -- the command ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--rate", "5"],
        ["--seconds", "5"],
        ["--rate", "5", "--seconds", "5", "--events", "5"],
        ["--events", "5", "--players", "0"],
        ["--events", "5", "--batch", "0"],
        ["--events", "-5"],
        ["--rate", "-5", "--seconds", "5"],
    ],
)
def test_options_that_make_no_plan_are_refused(options: list[str]) -> None:
    with pytest.raises(CommandError, match="--"):
        call_command("loadtest", "--url", NOWHERE, "--game", "demo", "--key", "k", *options)


def test_the_options_are_those_that_scripts_rely_on() -> None:
    parser = ArgumentParser()
    Command().add_arguments(parser)
    assert {name for action in parser._actions for name in action.option_strings} == {
        "-h", "--help", "--url", "--game", "--key", "--players", "--rate", "--seconds", "--events", "--batch", "--json",
    }  # fmt: skip


def test_a_server_that_is_not_there_is_told_in_one_line() -> None:
    with pytest.raises(CommandError, match="ConnectError"):
        call_command("loadtest", "--url", NOWHERE, "--game", "demo", "--key", "k", "--events", "1")
