"""Processes that end in the middle of something: killed, restarted, all of them at once."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.chaos.embedded import Embedded
from tests.chaos.fleet import GATEWAYS, LEAVE_S, WORKERS, Deployment
from tests.chaos.hunting import IN_A_BATCH, Hunter
from tests.chaos.patient import Patient
from tests.chaos.scene import Form, Scene

pytestmark = [pytest.mark.chaos, pytest.mark.services]

HURRY = 10.0
"""Clients wait a tenth of what ``bye`` asks for: the suite has no time, and the spread is the same."""
ABNORMAL = 1006


def test_01_workers_killed_inside_batches_lose_and_repeat_nothing(deployment: Deployment, weather) -> None:
    def fault(scene: Scene) -> None:
        with Hunter(deployment) as hunter:
            for _ in range(scene.form.of(8, 60)):
                os.kill(hunter.stop_one(IN_A_BATCH, WORKERS), signal.SIGKILL)
                deployment.restart_ended()
        scene.figures |= {"kills": scene.form.of(8, 60), "near misses": hunter.missed}

    weather(fault, deployment)


def test_02_gateways_killed_with_sockets_on_them_leave_no_gap_on_any_device(
    deployment: Deployment, weather
) -> None:
    def fault(scene: Scene) -> None:
        kills, broken = scene.form.of(3, 20), 0
        for n in range(kills):
            name = GATEWAYS[n % 2]
            wait_until(lambda name=name: sockets(scene, deployment, name) >= 5)
            broken += deployment.front.open_to(deployment.ports[name])
            deployment.kill(name)
            scene.ended = time.monotonic()
            deployment.start_named(name)
            deployment.wait_until_serves(name)
        scene.figures |= {"kills": kills, "connections broken": broken}

    told = weather(fault, deployment)
    assert told.figures["closings"].get(ABNORMAL, 0) >= told.figures["kills"] * 5


def test_09_everything_killed_at_once_comes_back_complete(deployment: Deployment, weather) -> None:
    def fault(scene: Scene) -> None:
        times = scene.form.of(1, 4)
        for _ in range(times):
            deployment.kill(*deployment.processes)
            deployment.start_all()
            time.sleep(scene.form.of(0, 5))  # load in between, no wait for anything
        scene.figures["kills"] = times

    weather(fault, deployment)


def test_11_a_rolling_restart_of_all_gateways_ends_no_socket_without_a_word_and_drops_no_request(
    deployment: Deployment, weather
) -> None:
    stops: list[tuple[float, float]] = []

    def fault(scene: Scene) -> None:
        with Patient(deployment.url, scene.load.key) as patient:
            for _ in range(scene.form.of(1, 3)):
                for name in GATEWAYS:
                    wait_until(lambda name=name: sockets(scene, deployment, name) >= 5)
                    began = time.monotonic()
                    deployment.processes[name].send_signal(signal.SIGTERM)
                    assert deployment.processes[name].wait(LEAVE_S) == 0
                    stops.append((began, time.monotonic()))
                    deployment.start_named(name)
                    deployment.wait_until_serves(name)
        scene.figures["stops_s"] = [round(gone - told, 1) for told, gone in stops]
        scene.figures["ends spread over s"] = spreads(scene, "closed_at")
        scene.figures["returns spread over s"] = spreads(scene, "welcomed_at")
        scene.figures["slow requests"] = patient.answered
        assert patient.dropped == [], f"a request was under way; {who_dropped(deployment, stops)}"
        assert patient.answered >= len(stops)
        assert all(device.asked for device in scene.devices if device.closings)
        assert {each for device in scene.devices for each in device.asked} == {(2, 45)}

    told = weather(fault, deployment, hurry=HURRY)
    assert set(told.figures["closings"]) == {4205}
    assert told.figures["dropped"] == 0, who_dropped(deployment, stops)
    assert told.figures["unknown"] == 0, "every post was answered"
    assert min(told.figures["ends spread over s"]) > 1
    assert min(told.figures["returns spread over s"]) > 1


def test_13_the_embedded_process_killed_under_load_loses_and_repeats_nothing(
    tmp_path: Path, form: Form, weather
) -> None:
    with Embedded(tmp_path / "data") as embedded:

        def fault(scene: Scene) -> None:
            kills = form.of(3, 30)
            for _ in range(kills):
                time.sleep(scene.rng.uniform(0.2, 1.5))  # at any moment
                embedded.kill()
                embedded.start()
            scene.figures["kills"] = kills

        weather(fault, embedded)


def sockets(scene: Scene, deployment: Deployment, name: str) -> int:
    """Return how many connections a gateway has while all devices are connected; some are of HTTP clients."""
    everybody = all(device.ready.is_set() for device in scene.devices)
    return deployment.front.open_to(deployment.ports[name]) if everybody else 0


def wait_until(condition, seconds: float = 60) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not so within {seconds} s"
        time.sleep(0.05)


def spreads(scene: Scene, moments: str) -> list[float]:
    """Return over how many seconds something happened to the sockets of each gateway that stopped."""
    after = sorted(
        each for device in scene.devices for each in getattr(device, moments) if each > scene.began
    )
    groups: list[list[float]] = [[]]
    for each in after:
        if groups[-1] and each - groups[-1][-1] > 3:
            groups.append([])
        groups[-1].append(each)
    return [round(group[-1] - group[0], 1) for group in groups if len(group) > 3]


def who_dropped(deployment: Deployment, stops: list[tuple[float, float]]) -> str:
    """Tell what is needed to understand a request that got no answer."""
    when = ", ".join(f"{told:.3f} to {gone:.3f}" for told, gone in stops)
    return "\n".join(
        [f"gateways were told and gone: {when}; ports {deployment.ports}", *deployment.front.unanswered]
    )
