"""Faults that no supervisor sees: frozen processes, forgotten transactions, failing connections, lost hints, poison."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.chaos.broken_parts import Poison, broken_deployment
from tests.chaos.fleet import GATEWAYS, WORKERS, Deployment
from tests.chaos.hunting import IN_A_BATCH, IN_AN_APPEND, IN_COPY, Hunter
from tests.chaos.load import big_batch
from tests.chaos.scene import Form, Scene
from tests.chaos.servers import Servers

pytestmark = [pytest.mark.chaos, pytest.mark.services]

PUSHES_MS = 2_000
SLOW = 200_000.0
"""Bytes a second: a batch of a thousand events then takes seconds to be copied."""


@pytest.fixture
def slow(servers: Servers) -> Iterator[Deployment]:
    """Start Clarion with a connection to PostgreSQL that can be slowed down."""
    with Deployment(servers, slow=True) as started:
        yield started


def test_06_frozen_workers_and_appenders_hold_nobody_up_for_long(slow: Deployment, weather) -> None:
    def fault(scene: Scene) -> None:
        with Hunter(slow, slow.to_postgres.client_port) as hunter:
            with frozen(hunter, IN_A_BATCH, WORKERS):
                time.sleep(scene.form.of(3, 15))
            if scene.form.name == "long":
                with frozen(hunter, IN_AN_APPEND, GATEWAYS):
                    assert_ended(hunter, within_s=12)
                    time.sleep(5)
            poster = threading.Thread(target=big_batch, args=(slow.url, scene.load, "copied"))
            slow.to_postgres.bytes_a_second = SLOW
            poster.start()
            with frozen(hunter, IN_COPY, GATEWAYS):
                slow.to_postgres.hold(hunter.port)
                slow.to_postgres.bytes_a_second = None
                assert hunter.still_does(IN_COPY)  # and would for ever: no time-out ends it
                assert_ended(hunter, within_s=12)
                time.sleep(scene.form.of(0, 5))
            slow.to_postgres.release()
        scene.ended = time.monotonic()
        poster.join()

    weather(fault, slow)


def test_07_a_forgotten_transaction_changes_nothing(deployment: Deployment, weather) -> None:
    url = deployment.servers.postgres.url(deployment.database)
    with psycopg.connect(url) as forgotten:
        forgotten.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        forgotten.execute("SELECT pg_current_xact_id(), count(*) FROM events_event")

        def fault(scene: Scene) -> None:
            time.sleep(scene.form.of(5, 30))  # nothing else happens: that is the fault

        told = weather(fault, deployment)
        assert forgotten.execute("SELECT count(*) FROM events_event").fetchone() == (0,)
    assert told.figures["fault"]["urgent"][0] <= told.normal_ms
    assert told.figures["fault"]["normal"][0] <= told.normal_ms


def test_08_full_disks_deadlocks_and_commits_that_nobody_hears_of_lose_and_repeat_nothing(
    servers: Servers, tmp_path: Path, weather
) -> None:
    with broken_deployment(servers, tmp_path) as (deployment, switch):

        def fault(scene: Scene) -> None:
            with switch("database"):
                time.sleep(scene.form.of(8, 30))  # so long connections fail
            scene.figures["faults"] = switch.faults()

        told = weather(fault, deployment)
    assert told.figures["unknown"] > 0
    assert all(told.figures["faults"].get(each, 0) for each in ("53100", "40P01", "before", "after"))


def test_10_a_transport_that_loses_repeats_and_swaps_its_hints_shows_everything_once_and_in_order(
    servers: Servers, tmp_path: Path, weather
) -> None:
    with broken_deployment(servers, tmp_path) as (deployment, switch):

        def fault(scene: Scene) -> None:
            with scene.outage("unreliable"), switch("push"):
                time.sleep(scene.form.of(6, 30))  # so long hints are lost
            scene.figures["faults"] = switch.faults()

        told = weather(fault, deployment)
    assert all(told.figures["faults"].get(each, 0) for each in ("lost", "repeated", "swapped"))
    assert told.figures["unreliable"]["urgent"][1] <= PUSHES_MS
    assert told.figures["unreliable"]["normal"][1] <= PUSHES_MS


def test_12_poison_is_parked_and_the_rest_goes_on_once(
    servers: Servers, tmp_path: Path, form: Form, weather
) -> None:
    with broken_deployment(servers, tmp_path, "poison") as (deployment, _):
        poison = Poison(deployment, raises=form.of(4, 12), kills=form.of(1, 4), hangs=form.of(1, 2))

        def fault(scene: Scene) -> None:
            poison.strike(scene)

        weather(fault, deployment, poisoned=poison.hub)
        assert poison.wrong() == []


class frozen:  # noqa: N801 - used as a word of the test's sentence
    """Freezes one process while it is doing something, and thaws it at the end."""

    def __init__(self, hunter: Hunter, doing: str, names: tuple[str, ...]) -> None:
        self._pid = hunter.stop_one(doing, names)

    def __enter__(self) -> int:
        return self._pid

    def __exit__(self, *_: object) -> None:
        os.kill(self._pid, signal.SIGCONT)


def assert_ended(hunter: Hunter, within_s: float) -> None:
    """Whoever waits for a frozen appender's partitions ends its transaction."""
    end = time.monotonic() + within_s
    while hunter.still_there():
        assert time.monotonic() < end, f"a frozen appender still holds its partitions after {within_s} s"
        time.sleep(0.1)
