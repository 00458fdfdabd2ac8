"""The two orders that push stands on, each with its interleaving forced.

Commit first, then publish; register first, then read the head. With both, a change is in
the read or in a later hint, never between.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from events.hubs import claim
from notifications import announcements, inbox
from notifications.gateway import queries, threads
from notifications.gateway.queries import Position
from notifications.inbox import Action, Kind, expiry
from notifications.models import Notification
from notifications.push import publishing
from notifications.push.transport import Message, Transport
from players.models import Player
from tests.given import hubs_catch_up
from tests.notifications.gateway.devices import GatewayThread, titles
from tests.notifications.gateway.eventually import Gate, eventually
from tests.notifications.gateway.scene import Scene

pytestmark = pytest.mark.usefixtures("no_look")


class Witness(Transport):
    """Looks, at each message, at what the rest of the world can see: with a connection of its own."""

    def __init__(self, other: Transport, look: Callable[[], Any]) -> None:
        self._other, self._look = other, look
        self.saw: list[Any] = []

    def publish(self, message: Message) -> None:
        assert not connection.in_atomic_block
        thread = threading.Thread(target=self._witness)
        thread.start()
        thread.join(20)
        self._other.publish(message)

    def _witness(self) -> None:
        try:
            self.saw.append(self._look())
        finally:
            connection.close()

    async def run(self, *_: Any) -> None:
        raise NotImplementedError


@pytest.fixture
def witness(transport: Transport) -> Callable[[Callable[[], Any]], Witness]:
    def watch(look: Callable[[], Any]) -> Witness:
        made = Witness(transport, look)
        publishing.use(made)
        return made

    return watch


def test_a_hub_publishes_strictly_after_commit(scene: Scene, witness: Callable[..., Witness]) -> None:
    seen = witness(lambda: (Player.objects.get(key="alice").head, Notification.objects.count()))
    scene.tells(count=2)
    assert seen.saw == [(2, 2)]


def test_a_state_is_published_strictly_after_commit(scene: Scene, witness: Callable[..., Witness]) -> None:
    scene.tells()
    seen = witness(lambda: Notification.objects.get().read is not None)
    inbox.apply([Action(player_id=scene.player().id, kind=Kind.READ, ids=(Notification.objects.get().uid,))])
    assert seen.saw == [True]


def test_an_expiry_is_published_strictly_after_commit(scene: Scene, witness: Callable[..., Witness]) -> None:
    scene.tells()
    Notification.objects.update(expires=Notification.objects.get().created)
    seen = witness(lambda: Notification.objects.get().gone)
    expiry.expire_due()
    assert seen.saw == ["expired"]


def test_an_announcement_is_published_strictly_after_commit(
    scene: Scene, witness: Callable[..., Witness]
) -> None:
    seen = witness(lambda: announcements.since(scene.game.id, 0, 9)[0].title)
    announcements.put(scene.game.id, title="maintenance")
    assert seen.saw == ["maintenance"]


def test_a_batch_that_is_rolled_back_publishes_nothing(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything is written, then the commit fails; the second try succeeds."""
    alice = gateway.device(scene.token())
    published: list[Message] = []
    publish = publishing.transport().publish
    monkeypatch.setattr(
        publishing.transport(), "publish", lambda each: (published.append(each), publish(each))
    )
    failures = iter([True])
    advance = claim.advance

    def fails_once(*args: Any) -> None:
        advance(*args)
        if next(failures, False):
            assert published == []
            raise ValueError

    monkeypatch.setattr(claim, "advance", fails_once)
    scene.posts(titles=["once"])
    hubs_catch_up(["decisions"])
    assert len(published) == 1
    assert titles(alice.hears_changes(1)) == ["once"]


def test_a_hint_before_registration_is_in_the_read(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The change commits, and its hint comes and goes, while the client is known but not registered."""
    gate, identify = Gate(), queries.identify
    monkeypatch.setattr(queries, "identify", lambda *who: (identify(*who), gate.passes())[0])
    alice = gateway.device()
    alice.says("connect", token=scene.token(), since={"epoch": "e1", "seq": 0})
    gate.has_been_reached()
    assert gateway.gateway.sockets.count == 0
    said = scene.tells()
    gate.opens()
    assert alice.hears("ready")["head"] == 1
    assert titles(alice.hears_changes(1)) == said


def test_a_hint_between_registration_and_the_read_of_the_head_is_in_the_read(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, welcome = Gate(), queries.welcome
    monkeypatch.setattr(queries, "welcome", lambda player: (gate.passes(), welcome(player))[1])
    alice = gateway.device()
    alice.says("connect", token=scene.token(), since={"epoch": "e1", "seq": 0})
    gate.has_been_reached()
    assert gateway.gateway.sockets.count == 1
    said = scene.tells()
    gate.opens()
    assert alice.hears("ready")["head"] == 1
    assert titles(alice.hears_changes(1)) == said


def test_a_change_after_the_read_of_the_head_but_before_ready_is_not_lost(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not in the read, and its hint finds a socket that is not ready: registered first, it is known."""
    gate, welcome = Gate(), queries.welcome
    monkeypatch.setattr(queries, "welcome", lambda player: (welcome(player), gate.passes())[0])
    alice = gateway.device()
    alice.says("connect", token=scene.token())
    gate.has_been_reached()
    said = scene.tells()
    (socket,) = gateway.ask(lambda: list(gateway.gateway.sockets))
    eventually(lambda: socket.behind and not gateway.ask(lambda: set(gateway.gateway.repair._behind)))
    gate.opens()
    assert alice.hears("ready")["head"] == 0
    assert titles(alice.hears_changes(1)) == said


def test_the_socket_is_registered_when_its_head_is_read(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered: list[int] = []
    welcome = queries.welcome
    monkeypatch.setattr(
        queries,
        "welcome",
        lambda player: (registered.append(gateway.gateway.sockets.count), welcome(player))[1],
    )
    gateway.device(scene.token())
    assert registered == [1]


def test_an_announcement_between_the_read_of_its_head_and_ready_is_not_lost(
    gateway: GatewayThread, scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, welcome = Gate(), queries.welcome
    monkeypatch.setattr(queries, "welcome", lambda player: (welcome(player), gate.passes())[0])
    alice = gateway.device()
    alice.says("connect", token=scene.token())
    gate.has_been_reached()
    announcements.put(scene.game.id, title="maintenance")
    gate.opens()
    assert alice.hears("ready")["announcements"] == 0
    assert titles([alice.hears("announcements")]) == ["maintenance"]


def test_an_announcement_between_the_two_reads_of_a_repair_leaves_no_hole(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The head is read first; what comes then is in the rows, and the range goes as far as they do."""
    since = announcements.since

    def late(*args: Any) -> Any:
        monkeypatch.setattr(announcements, "since", since)
        announcements.put(scene.game.id, title="late")
        return since(*args)

    announcements.put(scene.game.id, title="early")
    monkeypatch.setattr(announcements, "since", late)
    found = queries.announced(scene.game.id, 0)
    assert (found.to, [item.title for item in found.items]) == (2, ["early", "late"])


def test_a_query_of_the_gateways_sees_nothing_that_is_not_committed(
    gateway: GatewayThread, scene: Scene
) -> None:
    """On SQLite as on PostgreSQL: so a frame that is read cannot precede the commit either."""
    player = scene.player()
    with transaction.atomic():
        Player.objects.filter(pk=player.pk).update(head=9)
        found = gateway.do(threads.query(queries.deviations, [Position(player.pk, 0, 0, 1)]))
    assert found == {}
