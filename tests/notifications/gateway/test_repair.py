"""All that are behind are repaired together, by one statement that names its indexes."""

from collections.abc import Sequence
from typing import Any

import pytest

from notifications.gateway import protocol, queries, repair
from notifications.gateway.queries import Need
from tests.notifications.gateway.devices import GatewayThread, titles
from tests.notifications.gateway.eventually import Gate, eventually
from tests.notifications.gateway.scene import Scene
from tests.plans import recorded

pytestmark = pytest.mark.usefixtures("no_look")
NAMES = ("alice", "bob", "olive")


def test_many_sockets_are_repaired_by_one_statement(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [gateway.device(scene.token(name)) for name in NAMES for _ in range(2)]
    asked: list[int] = []
    supply = queries.supply
    monkeypatch.setattr(queries, "supply", lambda needs: (asked.append(len(needs)), supply(needs))[1])
    gateway.holds_back("delivery")
    said = scene.tells(*NAMES)
    gateway.ask(gateway.gateway.repair.all_behind)
    for device in devices:
        assert titles(device.hears_changes(1)) == said
    assert asked == [len(devices)]


def test_one_read_finds_heads_items_marks_and_read_announcements_of_the_same_instant(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.tells(*NAMES, count=2)
    alice, bob = scene.player("alice"), scene.player("bob")
    needs = [
        Need(player_id=alice.id, after=0, upto=64, epoch=1),
        Need(player_id=bob.id, after=1, upto=64, epoch=1),
        Need(player_id=alice.id, after=0, upto=1, epoch=1),
        Need(player_id=10**9, after=0, upto=64, epoch=1),
        Need(player_id=alice.id, after=0, upto=64, epoch=9),  # after a restore it may be another player's id
    ]
    with recorded(monkeypatch) as statements:
        found = queries.supply(needs)
    assert len(statements) == 1
    assert [each and (each.head, [item.seq for item in each.items]) for each in found] == [
        (2, [1, 2]), (2, [2]), (2, [1]), None, None,
    ]  # fmt: skip


def test_a_change_that_comes_while_a_repair_reads_is_not_forgotten(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its hint finds the socket behind; the repair that is under way has read an earlier head."""
    alice = gateway.device(scene.token())
    gate, supply = Gate(), queries.supply

    def slow(needs: Sequence[Need]) -> Any:
        found = supply(needs)
        gate.passes()
        return found

    monkeypatch.setattr(queries, "supply", slow)
    gateway.ask(gateway.gateway.repair.all_behind)
    gate.has_been_reached()
    said = scene.tells()
    eventually(lambda: gateway.ask(lambda: next(iter(gateway.gateway.sockets)).doubts) > 2)  # the hint is in
    gate.opens()
    assert titles(alice.hears_changes(1)) == said


def test_a_resubscription_while_a_repair_reads_means_reading_once_more(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = gateway.device(scene.token())
    gate, supply = Gate(), queries.supply

    def slow(needs: Sequence[Need]) -> Any:
        found = supply(needs)
        gate.passes()
        return found

    monkeypatch.setattr(queries, "supply", slow)
    gateway.holds_back("delivery")
    gateway.ask(gateway.gateway.repair.all_behind)
    gate.has_been_reached()
    said = scene.tells()
    gateway.ask(gateway.gateway.repair.all_behind)
    gate.opens()
    assert titles(alice.hears_changes(1)) == said


def test_what_cannot_be_sent_to_one_player_stops_nobody_else(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice, mallory = gateway.device(scene.token()), gateway.device(scene.token("mallory"))
    build = repair.changes_frame

    def fails(*parts: Any, **more: Any) -> str:
        text = build(*parts, **more)
        if "poison" in text:
            raise ValueError
        return text

    monkeypatch.setattr(repair, "changes_frame", fails)
    gateway.holds_back("delivery")
    scene.tells("mallory", title="poison")
    said = scene.tells("alice")
    gateway.ask(gateway.gateway.repair.all_behind)
    assert titles(alice.hears_changes(1)) == said
    assert mallory.is_closed()[0] == protocol.INTERNAL


def test_a_repair_that_fails_is_tried_again(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = gateway.device(scene.token())
    supply, failures = queries.supply, iter([True, True])
    monkeypatch.setattr(repair, "FAILED_PAUSE_S", 0.0)
    monkeypatch.setattr(queries, "supply", lambda needs: 1 / 0 if next(failures, False) else supply(needs))
    gateway.holds_back("delivery")
    said = scene.tells()
    gateway.ask(gateway.gateway.repair.all_behind)
    assert titles(alice.hears_changes(1)) == said


def test_a_socket_that_left_while_it_was_repaired_leaves_nothing_behind(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the repair would find it behind for ever, and never rest."""
    alice = gateway.device(scene.token())
    gate, supply = Gate(), queries.supply
    monkeypatch.setattr(queries, "supply", lambda needs: (supply(needs), gate.passes())[0])
    gateway.ask(gateway.gateway.repair.all_behind)
    gate.has_been_reached()
    gateway.ask(gateway.gateway.repair.all_behind)  # so that the repair has to read once more
    alice.leaves()
    gate.opens()
    gateway.device(scene.token("bob")).hears_nothing_before_pong()
    assert gateway.ask(lambda: set(gateway.gateway.repair._behind)) == set()


def test_more_sockets_than_one_statement_takes_are_repaired_one_portion_after_the_other(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repair, "AT_ONCE", 2)
    devices = [gateway.device(scene.token(name)) for name in NAMES]
    gateway.holds_back("delivery")
    said = scene.tells(*NAMES)
    gateway.ask(gateway.gateway.repair.all_behind)
    for device in devices:
        assert titles(device.hears_changes(1)) == said
