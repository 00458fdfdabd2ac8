"""Coming back: what was missed follows, in ranges without holes, and nothing else."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from events.models import Game
from notifications import announcements
from notifications.gateway import protocol, queries
from notifications.models import Notification
from players.models import Player
from tests.notifications.gateway.devices import Device, GatewayThread, titles
from tests.notifications.gateway.scene import Scene

pytestmark = pytest.mark.usefixtures("no_look")


def standing(device: Device, **changes: Any) -> dict[str, Any]:
    """Return the cursors of a device that has seen all up to its ready."""
    ready = device.ready
    return {
        "epoch": ready["epoch"], "seq": ready["head"], "announcements": ready["announcements"], **changes
    }  # fmt: skip


def test_without_since_only_what_comes_from_now_on(gateway: GatewayThread, scene: Scene) -> None:
    scene.tells(count=3)
    alice = gateway.device(scene.token())
    alice.hears_nothing_before_pong()
    said = scene.tells()
    frames = alice.hears_changes(4)
    assert (frames[0]["from"], titles(frames)) == (3, said)


def test_a_client_that_resumes_gets_what_it_missed(gateway: GatewayThread, scene: Scene) -> None:
    alice = gateway.device(scene.token())
    alice.leaves()
    missed = scene.tells(count=5)
    again = gateway.device(scene.token(), since=standing(alice))
    assert (again.ready["resume"], again.ready["head"]) == ("ok", 5)
    frames = again.hears_changes(5)
    assert (frames[0]["from"], titles(frames), frames[-1]["unread"]) == (0, missed, 5)
    now = scene.tells()
    assert titles(again.hears_changes(6)) == now


def test_a_client_that_missed_nothing_gets_nothing(gateway: GatewayThread, scene: Scene) -> None:
    scene.tells(count=2)
    alice = gateway.device(scene.token())
    again = gateway.device(scene.token(), since=standing(alice))
    assert again.ready["resume"] == "ok"
    again.hears_nothing_before_pong()


@pytest.mark.parametrize(
    "changes", [{"epoch": "e0"}, {"seq": 99}, {"seq": -1}, {"announcements": 99}], ids=str
)
def test_a_cursor_of_no_use_is_reset_and_the_client_goes_on_from_the_head(
    gateway: GatewayThread, scene: Scene, changes: dict[str, Any]
) -> None:
    scene.tells(count=2)
    alice = gateway.device(scene.token())
    again = gateway.device(scene.token(), since=standing(alice, **changes))
    assert (again.ready["resume"], again.ready["head"]) == ("reset", 2)
    again.hears_nothing_before_pong()
    said = scene.tells()
    frames = again.hears_changes(3)
    assert (frames[0]["from"], titles(frames)) == (2, said)


def test_after_a_restore_every_client_is_reset(gateway: GatewayThread, scene: Scene) -> None:
    alice = gateway.device(scene.token())
    alice.leaves()
    Game.objects.filter(pk=scene.game.pk).update(epoch=2)
    again = gateway.device(scene.token(), since=standing(alice))
    assert (again.ready["resume"], again.ready["epoch"]) == ("reset", "e2")


def test_who_was_away_when_rows_were_removed_starts_over_and_others_resume(
    gateway: GatewayThread, scene: Scene
) -> None:
    scene.tells(count=5)
    device = gateway.device(scene.token())
    Player.objects.update(forgotten=3)
    assert gateway.device(scene.token(), since=standing(device, seq=2)).ready["resume"] == "reset"
    assert gateway.device(scene.token(), since=standing(device, seq=3)).ready["resume"] == "ok"


def test_too_far_behind_the_client_loads_the_inbox(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = gateway.device(scene.token())
    alice.leaves()
    scene.tells(count=4)
    monkeypatch.setattr(protocol, "RESUME_MAX", 3)
    assert gateway.device(scene.token(), since=standing(alice)).ready["resume"] == "reset"


def test_a_number_that_a_later_change_superseded_has_no_item_and_leaves_no_hole(
    gateway: GatewayThread, scene: Scene
) -> None:
    """Three notifications, then the first is read: its sequence moves from 1 to 4."""
    alice = gateway.device(scene.token())
    said = scene.tells(count=3)
    alice.hears_changes(3)
    alice.says("read", ids=[scene.ids()[0]])
    alice.hears_changes(4)
    again = gateway.device(scene.token(), since=standing(alice, seq=0))
    frames = again.hears_changes(4)
    items = [item for frame in frames for item in frame["items"]]
    assert [item["seq"] for item in items] == [2, 3, 4]
    assert [item["title"] for item in items] == [said[1], said[2], said[0]]
    assert [bool(item["read"]) for item in items] == [False, False, True]
    assert frames[0]["from"] == 0


def test_what_has_expired_is_never_sent_but_the_range_covers_it(gateway: GatewayThread, scene: Scene) -> None:
    alice = gateway.device(scene.token())
    alice.leaves()
    soon = datetime.now(UTC) + timedelta(hours=1)
    scene.tells(title="soon over", expires=soon)
    lasting = scene.tells()
    Notification.objects.filter(title="soon over").update(expires=datetime.now(UTC) - timedelta(seconds=1))
    again = gateway.device(scene.token(), since=standing(alice))
    frames = again.hears_changes(2)
    assert (frames[0]["from"], titles(frames)) == (0, lasting)


def test_what_has_expired_is_left_out_by_the_query_itself_but_that_it_is_gone_is_told(scene: Scene) -> None:
    scene.tells(count=3, expires=datetime.now(UTC) + timedelta(hours=1))
    past = datetime.now(UTC) - timedelta(milliseconds=1)
    Notification.objects.filter(number__gt=1).update(expires=past)
    Notification.objects.filter(number=3).update(gone="expired")
    (found,) = queries.supply([queries.Need(player_id=scene.player().id, after=0, upto=64, epoch=1)])
    assert found is not None
    assert [(item.number, item.gone) for item in found.items] == [(1, ""), (3, "expired")]


def test_what_expires_between_the_query_and_the_frame_is_not_sent(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = gateway.device(scene.token())
    alice.leaves()
    scene.tells(title="over", expires=datetime.now(UTC) + timedelta(hours=1))
    supply = queries.supply

    def slow(needs: Any) -> Any:
        found = supply(needs)
        over = datetime.now(UTC) - timedelta(microseconds=1)
        aged = [item._replace(expires=over) for item in found[0].items]
        return [queries.Supply(**{**vars(found[0]), "items": tuple(aged)})]

    monkeypatch.setattr(queries, "supply", slow)
    again = gateway.device(scene.token(), since=standing(alice))
    assert titles(again.hears_changes(1)) == []


def test_announcements_resume_by_their_own_cursor(gateway: GatewayThread, scene: Scene) -> None:
    announcements.put(scene.game.id, title="old")
    alice = gateway.device(scene.token())
    assert alice.ready["announcements"] == 1
    alice.hears_nothing_before_pong()
    row = announcements.put(scene.game.id, title="season starts")
    assert titles([alice.hears("announcements")]) == ["season starts"]
    alice.leaves()
    announcements.update(row, title="season has started")
    announcements.put(scene.game.id, title="new")
    again = gateway.device(scene.token(), since=standing(alice, announcements=1))
    frame = again.hears("announcements")
    assert (frame["from"], frame["to"], titles([frame])) == (1, 4, ["season has started", "new"])
    announcements.end(row)
    ended = again.hears("announcements")
    assert (ended["from"], ended["items"][0]["gone"]) == (4, "withdrawn")


def test_many_missed_announcements_come_in_frames_without_holes(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "ANNOUNCEMENTS_AT_ONCE", 2)
    alice = gateway.device(scene.token())
    alice.leaves()
    for number in range(5):
        announcements.put(scene.game.id, title=str(number))
    again = gateway.device(scene.token(), since=standing(alice))
    frames = again.hears_until(lambda frame: frame["to"] == 5)
    assert [(frame["from"], frame["to"]) for frame in frames] == [(0, 2), (2, 4), (4, 5)]
    assert titles(frames) == ["0", "1", "2", "3", "4"]


def test_a_client_that_keeps_no_cursor_for_announcements_hears_of_new_ones_only(
    gateway: GatewayThread, scene: Scene
) -> None:
    announcements.put(scene.game.id, title="old")
    alice = gateway.device(scene.token(), since={"epoch": "e1", "seq": 0})
    assert alice.ready["resume"] == "ok"
    announcements.put(scene.game.id, title="new")
    assert titles([alice.hears("announcements")]) == ["new"]


def test_sync_brings_what_is_missing_after_the_clients_place(gateway: GatewayThread, scene: Scene) -> None:
    alice = gateway.device(scene.token())
    said = scene.tells(count=3)
    alice.hears_changes(3)
    alice.says("sync", since=standing(alice, seq=1))
    assert alice.hears("ready")["resume"] == "ok"
    frames = alice.hears_changes(3)
    assert (frames[0]["from"], titles(frames)) == (1, said[1:])


def test_a_sync_with_a_cursor_of_no_use_is_reset(gateway: GatewayThread, scene: Scene) -> None:
    alice = gateway.device(scene.token())
    alice.says("sync", since=standing(alice, epoch="e0"))
    assert alice.hears("ready")["resume"] == "reset"
    said = scene.tells()
    assert titles(alice.hears_changes(1)) == said
