"""All sockets that are behind, repaired together: head and rows in one statement."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from notifications.frames import announcements_frame, changes_frame
from notifications.gateway import metrics, protocol, queries, threads
from notifications.gateway.queries import Need, Supply
from notifications.gateway.socket import Socket
from notifications.gateway.sockets import Sockets

PAUSE_S = 0.002
"""So long a repair waits for others that fall behind at the same time."""
FAILED_PAUSE_S = 1.0
AT_ONCE = 2_000
TURN = 200
"""So many sockets, then others get their turn."""

log = structlog.get_logger(__name__)


class Repair:
    """Knows who is behind."""

    def __init__(self, sockets: Sockets) -> None:
        """Start with nobody behind."""
        self._sockets = sockets
        self._behind: set[Socket] = set()
        self._wake = asyncio.Event()

    def fell_behind(self, socket: Socket) -> None:
        """Have a socket repaired, together with all others that are behind."""
        self._behind.add(socket)
        self._wake.set()

    def all_behind(self) -> None:
        """Look at every player: what was sent while nobody listened is lost."""
        for socket in self._sockets:
            socket.doubt(changes=True, announcements=True)
            self.fell_behind(socket)

    def forget(self, socket: Socket) -> None:
        """Leave a socket that is gone."""
        self._behind.discard(socket)

    async def run(self) -> None:
        """Repair for ever. Those that cannot be sent anything yet are left until somebody says so again."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(PAUSE_S)
            self._wake.clear()
            waiting = [socket for socket in self._behind if socket.ready and not socket.closed]
            self._behind.clear()
            now, later = waiting[:AT_ONCE], waiting[AT_ONCE:]
            for socket in later:
                self.fell_behind(socket)
            try:
                await self.repair(now)
            except Exception:
                await asyncio.sleep(FAILED_PAUSE_S)
                for socket in now:
                    self.fell_behind(socket)
                raise

    async def repair(self, sockets: Sequence[Socket]) -> None:
        """Send each of these sockets what it lacks, as far as its window goes."""
        await self._announcements([each for each in sockets if each.announcements_behind])
        await self._changes([each for each in sockets if each.behind and not each.blocked])

    async def _changes(self, sockets: list[Socket]) -> None:
        if not sockets:
            return
        doubts = [socket.doubts for socket in sockets]
        needs = [
            Need(player_id=each.player_id, after=each.cursor, upto=each.upto, epoch=each.epoch)
            for each in sockets
        ]
        supplies = await threads.query(queries.supply, needs)
        now = datetime.now(UTC)
        for number, (socket, need, found, doubt) in enumerate(
            zip(sockets, needs, supplies, doubts, strict=True)
        ):
            if number % TURN == 0:
                await asyncio.sleep(0)
            if socket.ready and socket.cursor == need.after:
                await self._one(socket, need, found, now)
                socket.behind |= socket.doubts != doubt
            if socket.lacks:
                self.fell_behind(socket)

    async def _one(self, socket: Socket, need: Need, found: Supply | None, now: datetime) -> None:
        """Send one socket its part. What cannot be sent to one player must not stop the others."""
        try:
            if found is None:
                await socket.close(protocol.ROTATE, "the numbering of changes has begun anew")
            else:
                await _send(socket, need, found, now)
        except Exception as error:
            log.exception("repair.failed", error=type(error).__name__)
            await socket.close(protocol.INTERNAL, "an error of the server's")

    async def _announcements(self, sockets: list[Socket]) -> None:
        for game_id in {socket.game_id for socket in sockets}:
            those = [socket for socket in sockets if socket.game_id == game_id]
            doubts = [socket.doubts for socket in those]
            start = min(socket.announcements for socket in those)
            found = await threads.query(queries.announced, game_id, start)
            for socket, doubt in zip(those, doubts, strict=True):
                if not socket.ready:
                    continue
                missing = [item for item in found.items if item.seq > socket.announcements]
                if found.to > socket.announcements:
                    text = announcements_frame(socket.announcements, found.to, missing, datetime.now(UTC))
                    await socket.announce(found.to, text)
                socket.announcements_behind = found.more or socket.doubts != doubt
                if socket.announcements_behind:
                    self.fell_behind(socket)


async def _send(socket: Socket, need: Need, found: Supply, now: datetime) -> None:
    to = min(found.head, need.upto)
    if to > need.after:
        text = changes_frame(
            need.after,
            to,
            found.unread,
            [item for item in found.items if item.seq <= to],
            now,
            marks=found.marks,
            moved=found.moved,
            announcements_read=found.announcements_read,
        )
        await socket.supply(to, text)
        if log.is_enabled_for(logging.DEBUG):  # without the hint, the notification's id leads to its event
            log.debug("push.repaired", seq=to, notifications=[str(item.uid) for item in found.items])
        metrics.sent.labels("repair").inc()
        metrics.repaired.inc()
    socket.behind = found.head > socket.cursor
