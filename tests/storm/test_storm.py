"""Twenty writers, 20,000 events, a tenth of them sent again, devices that are cut off at random: nothing is lost,
nothing comes twice, all of it in order. On real servers, as an operator starts them.
"""

import asyncio
import json
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from tests.config.deployment import Services
from tests.config.processes import Up, finished
from tests.storm.devices import Device, devices
from tests.storm.plan import CONNECTED, EVENTS, READERS, REPEATS, TWO_DEVICES, WRITERS, player
from tests.storm.writers import Answers, write_all

T = TypeVar("T")
READY_S = 60.0
STORM_S = 180.0
CALM_S = 120.0
"""So long hubs and devices may take after the last post, on a busy machine."""
LAG = re.compile(r"^clarion_lag_partitions\{[^}]*\} (\S+)$", re.MULTILINE)


@dataclass(kw_only=True)
class Storm:
    """What it was: what writers were told, what devices saw."""

    answers: Answers
    devices: list[Device]
    poisoned: str = ""
    """A hub that parks streams on purpose."""

    def told(self) -> str:
        """Return it for the proof."""
        return json.dumps(
            {
                "poisoned": self.poisoned,
                "places": {name: list(*places) for name, places in self.answers.places.items()},
                "devices": [
                    {
                        "player": each.who,
                        "name": f"{each.who}'s device {n}",
                        "seq": each.stands.seq,
                        "unread": each.unread,
                        "shown": each.shown,
                        "read": sorted(each.has_read),
                    }
                    for n, each in enumerate(self.devices)
                ],
            }
        )


async def rage(url: str, key: str) -> Storm:
    """Let it happen, and return when everything has calmed down."""
    async with httpx.AsyncClient(base_url=url, timeout=60) as http:
        tokens = {player(n): await token(http, key, player(n)) for n in CONNECTED}
        crowd = devices(url.replace("http", "ws", 1) + "/ws/v1/player", tokens)
        living = asyncio.gather(*(device.run() for device in crowd))
        try:
            await within(READY_S, living, until(lambda: all(each.ready.is_set() for each in crowd)))
            answers = await within(STORM_S, living, write_all(url, key))
            await within(CALM_S, living, hubs_are_done(http))
            await within(CALM_S, living, all_have_seen_all(http, tokens, crowd))
            await within(CALM_S, living, devices_agree_on_a_mark(crowd))
        finally:
            living.cancel()
            await asyncio.gather(living, return_exceptions=True)
    return Storm(answers=answers, devices=crowd)


async def within(seconds: float, living: "asyncio.Future[Any]", work: Coroutine[Any, Any, T]) -> T:
    """Wait for some work, but not longer than all devices live, and not for ever."""
    task = asyncio.create_task(work)
    await asyncio.wait({task, living}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    if living.done():
        living.result()  # a device ends only by what broke the protocol
    if not task.done():
        task.cancel()
        raise AssertionError(f"{work.__name__} was not over within {seconds} s")
    return task.result()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    while not condition():  # noqa: ASYNC110 - what it waits for tells nobody
        await asyncio.sleep(0.05)


async def token(http: httpx.AsyncClient, key: str, who: str) -> str:
    """Return a token for a player."""
    answer = await http.post(f"/api/v1/players/{who}/tokens", headers={"Authorization": f"Bearer {key}"})
    return str(answer.raise_for_status().json()["token"])


async def hubs_are_done(http: httpx.AsyncClient) -> None:
    """Wait until no hub has work."""
    while True:
        lags = LAG.findall((await http.get("/metrics")).text)
        if lags and not any(float(lag) for lag in lags):
            return
        await asyncio.sleep(0.3)


async def all_have_seen_all(http: httpx.AsyncClient, tokens: dict[str, str], crowd: list[Device]) -> None:
    """Let the weather clear; wait until every device is where its player's inbox says that it should be."""
    for device in crowd:
        device.calm = True
    await until(lambda: not any(device.wanted for device in crowd))
    for device in crowd:
        headers = {"Authorization": f"Bearer {tokens[device.who]}"}
        inbox = (await http.get("/api/v1/inbox?limit=1", headers=headers)).raise_for_status().json()
        await until(lambda device=device, head=inbox["head"]: device.stands.seq >= head)


async def devices_agree_on_a_mark(crowd: list[Device]) -> None:
    """Read everything on one of two devices; wait until the other one knows."""
    for n in TWO_DEVICES:
        first, second = (device for device in crowd if device.who == player(n))
        await first.ready.wait()
        await first.say(type="read", through=len(first.shown))
        await until(
            lambda those=(first, second): all(
                (each.read_through, each.unread) == (len(each.shown), 0) for each in those
            )
        )


def lasting_proof(storm: Storm, folder: Path, **environment: str) -> Any:
    """Return what is wrong in the database, told by a process of the servers' environment."""
    path = folder / "told.json"
    path.write_text(storm.told())
    result = finished("-m", "tests.storm.proof", str(path), seconds=60, **environment)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def stage(**environment: str) -> str:
    """Make the game; return an API key of it."""
    result = finished("-m", "tests.storm.stage", **environment)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def assert_it_was_a_storm(storm: Storm) -> None:
    """The proof would be worth nothing without the repeats, the races and the cuts."""
    answers = storm.answers
    assert len(answers.places) == EVENTS
    assert {len(places) for places in answers.places.values()} == {1}
    assert max(answers.appended.values()) == 1
    assert min(answers.appended.values()) == 1 or answers.unknown
    assert answers.duplicates >= 0.9 * EVENTS * REPEATS
    assert answers.conflicts > WRITERS
    assert min(device.cuts for device in storm.devices) >= 1
    assert sum(len(device.shown) for device in storm.devices) > EVENTS / 2
    assert sum(device.gaps for device in storm.devices) == 0  # frames come without holes between them
    assert all(device.has_read for device in storm.devices if device.who in map(player, READERS))


@pytest.mark.embedded
def test_embedded_nothing_is_lost_nothing_comes_twice_and_all_of_it_in_order(tmp_path: Path) -> None:
    with Up(tmp_path, "--no-demo") as server:
        storm = asyncio.run(rage(server.url, stage(CLARION_DATA=str(tmp_path))))
        assert_it_was_a_storm(storm)
        assert lasting_proof(storm, tmp_path, CLARION_DATA=str(tmp_path)) == []
        assert server.stop()[0] == 0


@pytest.mark.services
def test_on_services_nothing_is_lost_nothing_comes_twice_and_all_of_it_in_order(tmp_path: Path) -> None:
    with Services("storm") as servers:
        storm = asyncio.run(rage(servers.url, stage(**servers.environment)))
        assert_it_was_a_storm(storm)
        assert lasting_proof(storm, tmp_path, **servers.environment) == []
