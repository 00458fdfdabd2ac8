"""What clients say, gathered for a moment and written together."""

import asyncio
import socket as hosts
import uuid
from collections import deque
from time import monotonic
from typing import NamedTuple

import structlog

from events.faults import is_transient
from notifications.gateway import threads
from notifications.gateway.socket import Socket
from notifications.gateway.sockets import Sockets
from notifications.inbox import Action, apply
from notifications.push import Newest, publish_newest
from players import presence
from players.devices import Ack, store_acks

GATHER_S = 0.2
PLAYERS_AT_ONCE = 100
IDS_AT_ONCE = 1_000
"""Both keep a transaction short: hubs wait for the same players' rows."""
ACTIONS_MAX = 5_000
"""So many states may wait; further ones are refused until some are written."""

log = structlog.get_logger(__name__)


class Asked(NamedTuple):
    """A state, and the socket that asked for it."""

    action: Action
    socket: Socket


class Gathering:
    """States, acks, presence and new devices of one process."""

    def __init__(self, sockets: Sockets, gateway: uuid.UUID) -> None:
        """Take the sockets, and the name under which their players are present."""
        self._sockets, self._gateway = sockets, gateway
        self._asked: deque[Asked] = deque()
        self._alone = 0  # so many of the first ones are tried one by one
        self._acks: dict[tuple[int, str, int], int] = {}
        self._newest: list[Newest] = []
        self._present: frozenset[int] = frozenset()
        self._renewed: float | None = None

    def act(self, action: Action, socket: Socket) -> bool:
        """Take a state; False when too many wait."""
        if len(self._asked) >= ACTIONS_MAX:
            return False
        self._asked.append(Asked(action, socket))
        return True

    def ack(self, socket: Socket) -> None:
        """Take how far a device has stored its player's changes."""
        if socket.device:
            self._acks[socket.player_id, socket.device, socket.epoch] = socket.acked

    def connected(self, newest: Newest) -> None:
        """Take a device that has connected, to tell other gateways."""
        self._newest.append(newest)

    async def run(self) -> None:
        """Write for ever."""
        while True:
            await asyncio.sleep(GATHER_S)
            await self.write()

    async def write(self) -> None:
        """Write all that has gathered; what cannot be written now is kept or refused, and never stops the rest."""
        await self._tell_newest()
        await self._write_states()
        await self._write_acks()
        await self._write_presence()

    async def close(self) -> None:
        """Write what is left, and end the presence of this gateway's players."""
        await self.write()
        await threads.query(presence.close, self._gateway)

    async def _tell_newest(self) -> None:
        newest, self._newest = self._newest, []
        if newest:
            await threads.query(publish_newest, newest)

    async def _write_states(self) -> None:
        """Write portion by portion, in the order in which they were asked for."""
        while portion := self._portion():
            try:
                await threads.query(_apply, [each.action for each in portion])
            except Exception as error:  # noqa: BLE001 - each client is told, and may try again
                await self._refuse(portion, error)

    async def _refuse(self, portion: list[Asked], error: Exception) -> None:
        """Refuse what could not be written: all that waits when the database is away, else only what is at fault."""
        if is_transient(error):
            portion += self._asked
            self._asked.clear()
            self._alone = 0
        elif len(portion) > 1:
            self._asked.extendleft(reversed(portion))
            self._alone = len(portion)
            return
        log.warning("gateway.states_refused", error=type(error).__name__, states=len(portion))
        for action, socket in portion:
            await socket.refuse(action.kind, "unavailable", "it was not stored; send it again", retry_after=1)

    def _portion(self) -> list[Asked]:
        if self._alone:
            self._alone -= 1
            return [self._asked.popleft()]
        portion: list[Asked] = []
        players: set[int] = set()
        ids = 0
        while self._asked:
            action = self._asked[0].action
            ids += len(action.ids)
            players.add(action.player_id)
            if portion and (len(players) > PLAYERS_AT_ONCE or ids > IDS_AT_ONCE):
                break
            portion.append(self._asked.popleft())
        return portion

    async def _write_acks(self) -> None:
        acks, self._acks = self._acks, {}
        if not acks:
            return
        try:
            await threads.query(store_acks, [Ack(*whose, seq) for whose, seq in acks.items()])
        except Exception as error:
            if not is_transient(error):
                raise
            self._acks = {**acks, **self._acks}

    async def _write_presence(self) -> None:
        """Compare with what was written last, so that whatever failed is written the next time."""
        here = self._sockets.players
        due = self._renewed is None or monotonic() - self._renewed >= presence.RENEW_S
        if not due and here == self._present:
            return
        try:
            if await threads.query(presence.renew, self._gateway, hosts.gethostname(), self._sockets.count):
                self._present = frozenset()  # the first lease, or one anew: nobody counts as here any more
            if arrived := here - self._present:
                await threads.query(presence.arrived, self._gateway, arrived)
            if left := self._present - here:
                await threads.query(presence.left, self._gateway, left)
        except Exception as error:
            self._renewed = None
            if not is_transient(error):
                raise
        else:
            self._present, self._renewed = here, monotonic()


def _apply(actions: list[Action]) -> None:
    apply(actions)
