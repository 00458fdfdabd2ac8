"""What a simulation is made of: time that passes at once, a database in memory, a bad network.

The database's answers are slow and may be old when they arrive; the transport loses, repeats and
swaps. Everything is decided by one seed.
"""

import asyncio
import itertools
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from notifications.frames import Item, Marks, changes_frame
from notifications.gateway.queries import Announcements, Identity, Need, Position, Standing, Supply, Welcome
from notifications.inbox import Action
from notifications.push import Change, publishing
from notifications.push.transport import Message, Receive, Subscribed, Transport

EPOCH = datetime(2030, 1, 1, tzinfo=UTC)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Jumps to the next moment at which something is due, instead of waiting for it."""

    def __init__(self) -> None:
        super().__init__()
        self._virtual = 1_000.0

    def time(self) -> float:
        return self._virtual

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined] # asyncio's own
            self._virtual = max(self._virtual, self._scheduled[0]._when)  # type: ignore[attr-defined] # as above
        super()._run_once()  # type: ignore[misc] # as above


@dataclass
class FakePlayer:
    """A player's row and notifications."""

    head: int = 0
    items: dict[uuid.UUID, Item] = field(default_factory=dict)

    @property
    def unread(self) -> int:
        return sum(item.read is None for item in self.items.values())


class World:
    """The database, as far as gateways ask it. Each change is one transaction, then its hint."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.players: dict[int, FakePlayer] = defaultdict(FakePlayer)
        self._uids = (uuid.UUID(int=number) for number in itertools.count(1))

    # -- what happens ------------------------------------------------------------------------------------

    def tell(self, player_id: int, count: int) -> None:
        """Make so many notifications in one transaction."""
        player, began = self.players[player_id], self.players[player_id].head
        made = [self._new(player) for _ in range(count)]
        self._hint(player_id, began, made)

    def apply(self, actions: Sequence[Action]) -> dict[int, Any]:
        """Read what clients have asked to be read."""
        for action in actions:
            player, began = self.players[action.player_id], self.players[action.player_id].head
            changed = []
            for uid in action.ids:
                item = player.items[uid]
                if item.read is None:
                    player.head += 1
                    player.items[uid] = item._replace(read=EPOCH, seen=EPOCH, seq=player.head)
                    changed.append(player.items[uid])
            if changed:
                self._hint(action.player_id, began, changed)
        return {}

    def _new(self, player: FakePlayer) -> Item:
        player.head += 1
        number = len(player.items) + 1
        item = Item(
            uid=next(self._uids), number=number, seq=player.head, notification_class="inbox", category="c",
            title=str(number), body="", data="{}", actions="[]", created=EPOCH, expires=None, seen=None,
            read=None, archived=None, claimed=None, gone="", replaces=None,
        )  # fmt: skip
        player.items[item.uid] = item
        return item

    def _hint(self, player_id: int, began: int, items: Iterable[Item]) -> None:
        player = self.players[player_id]
        frame = changes_frame(began, player.head, player.unread, items, EPOCH)
        publishing.publish([Change(player_id, began, player.head, frame)])

    # -- what gateways ask ---------------------------------------------------------------------------------

    def identify(self, token: str, _origin: str | None, _host: str | None) -> Identity:
        later = datetime.now(UTC) + timedelta(days=1)
        return Identity(player_id=int(token), game_id=1, expires=later)

    def welcome(self, player_id: int) -> Welcome:
        player = self.players[player_id]
        return Welcome(epoch=1, epoch_name="e1", head=player.head, unread=player.unread, announcements=0)

    def supply(self, needs: Sequence[Need]) -> list[Supply]:
        return [self._supply(need) for need in needs]

    def _supply(self, need: Need) -> Supply:
        player = self.players[need.player_id]
        wanted = sorted(
            (item for item in player.items.values() if need.after < item.seq <= need.upto),
            key=lambda item: item.seq,
        )
        return Supply(
            head=player.head, unread=player.unread, marks=Marks(), moved=(), items=tuple(wanted),
            announcements_read=(),
        )  # fmt: skip

    def deviations(self, positions: Sequence[Position]) -> dict[int, Standing]:
        found = {}
        for index, position in enumerate(positions):
            head = self.players[position.player_id].head
            if head != position.cursor:
                found[index] = Standing(head, refused=False, announcements=0, epoch=1)
        return found

    def announced(self, _game_id: int, after: int) -> Announcements:
        return Announcements(to=after, more=False, items=())

    async def query(self, work: Callable[..., Any], *args: Any) -> Any:
        """Answer after a while, with what was so in between."""
        await asyncio.sleep(self.random.expovariate(200))
        found = work(*args)
        await asyncio.sleep(self.random.expovariate(200))
        return found


class BadTransport(Transport):
    """Loses 30 % of the messages, repeats 20 %, swaps many, and breaks now and then."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._receivers: list[Receive] = []

    def publish(self, message: Message) -> None:
        for receive in self._receivers:
            for _ in range(self._random.choices((0, 1, 2), weights=(30, 50, 20))[0]):
                asyncio.get_running_loop().call_later(self._random.expovariate(20), receive, message)

    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        self._receivers.append(receive)
        subscribed()
        try:
            await asyncio.sleep(self._random.uniform(5, 60))
        finally:
            self._receivers.remove(receive)
        raise ConnectionResetError
