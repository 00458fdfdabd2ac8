"""The look once a second: trusts no hint, and no client, and says when the database is away."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from time import monotonic

import structlog

from notifications.frames import rfc3339
from notifications.gateway import protocol, queries, threads
from notifications.gateway.protocol import frame
from notifications.gateway.queries import Position, Standing
from notifications.gateway.repair import Repair
from notifications.gateway.socket import Socket
from notifications.gateway.sockets import Sockets

LOOK_S = 1.0
ANSWER_S = 3.0
"""A database that has not answered for so long is away: heartbeats and expiry do not wait for it."""
AT_ONCE = 500
"""So many sockets, then others get their turn."""

log = structlog.get_logger(__name__)


class Look:
    """Compares every socket with what is so."""

    def __init__(self, sockets: Sockets, repair: Repair) -> None:
        """Take the sockets to look at, and who looks after those that are behind."""
        self._sockets, self._repair = sockets, repair
        self._degraded = False
        self._beyond: dict[Socket, int] = {}

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self.once()

    async def once(self) -> None:
        """Look at every socket, with one query for all of them."""
        sockets = [socket for socket in self._sockets if socket.ready]
        found = await self._find(sockets)
        before, self._beyond = self._beyond, {}
        for number, socket in enumerate(sockets, start=1):
            if socket.ready and not socket.closed:
                await self._look_at(socket, found.get(number - 1), before.get(socket))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)

    async def _find(self, sockets: Sequence[Socket]) -> Mapping[int, Standing]:
        """Find out, by index, for which sockets anything has changed; nothing while the database is away."""
        if not sockets:
            return {}
        positions = [
            Position(each.player_id, each.cursor, each.announcements, each.epoch) for each in sockets
        ]
        try:
            async with asyncio.timeout(ANSWER_S):
                found = await threads.query(queries.deviations, positions)
        except Exception as error:  # noqa: BLE001 - the database is away; sockets stay and are told
            await self._weather(degraded=True, why=type(error).__name__)
            return {}
        await self._weather(degraded=False)
        return found

    async def _look_at(self, socket: Socket, standing: Standing | None, beyond: int | None) -> None:
        end = self._end(socket, standing, beyond) or _overdue(socket)
        if end is not None:
            await socket.close(*end)
            return
        if standing is not None:
            self._compare(socket, standing)
        if monotonic() >= socket.heartbeat_at:
            head = max(socket.cursor, standing.head if standing else 0)
            announced = max(socket.announcements, standing.announcements if standing else 0)
            await socket.beat(head, announced, rfc3339(datetime.now(UTC)) or "")

    def _compare(self, socket: Socket, standing: Standing) -> None:
        """Have the socket repaired if anything was not sent."""
        if standing.head > socket.cursor and not socket.behind:
            socket.doubt(changes=True)
        if standing.announcements > socket.announcements and not socket.announcements_behind:
            socket.doubt(announcements=True)
        if socket.lacks:
            self._repair.fell_behind(socket)

    def _end(self, socket: Socket, standing: Standing | None, beyond: int | None) -> tuple[int, str] | None:
        """Return why a socket must not go on, by what was read; or None."""
        if standing is None:
            return None
        if standing.epoch != socket.epoch:  # first: a restored database may not know the player yet
            return protocol.ROTATE, "the numbering of changes has begun anew"
        if standing.refused:
            return protocol.PLAYER_REFUSED, "this player is blocked or was erased"
        if self._taken_back(socket, standing, beyond):
            return protocol.ROTATE, "the numbering of changes has begun anew"
        return None

    def _taken_back(self, socket: Socket, standing: Standing, beyond: int | None) -> bool:
        """Tell whether the database was taken back to an earlier state: sequences would come a second time.

        A cursor beyond the head may also be a hint that was faster than this look; if the head has
        not come up to it by the next one, it is not.
        """
        if standing.head >= socket.cursor:
            return False
        self._beyond[socket] = socket.cursor
        return beyond is not None and standing.head < beyond

    async def _weather(self, *, degraded: bool, why: str = "") -> None:
        """Tell every client once when the database goes away, and once when it is back."""
        if degraded == self._degraded:
            return
        self._degraded = degraded
        if degraded:
            log.warning("gateway.database_away", error=why, sockets=self._sockets.count)
        else:
            log.info("gateway.database_back", sockets=self._sockets.count)
        detail = "the database does not answer; nothing is lost, all of it comes later" if degraded else ""
        text = frame("status", mode="degraded" if degraded else "normal", detail=detail)
        for socket in self._sockets:
            if socket.ready:
                await socket.send(text)


def _overdue(socket: Socket) -> tuple[int, str] | None:
    now, silence = monotonic(), 2 * protocol.HEARTBEAT_S
    if socket.expires <= datetime.now(UTC):
        return protocol.TOKEN_EXPIRED, "the token has expired; get a new one"
    if now - socket.heard > silence:
        return protocol.SILENT, f"nothing was heard for {silence:.0f} s"
    if socket.behind and socket.blocked_at is not None and now - socket.blocked_at > protocol.NO_ACKS_S:
        waits = f"{protocol.WINDOW} changes have waited {protocol.NO_ACKS_S:.0f} s for an ack"
        return protocol.NO_ACKS, waits
    if now >= socket.rotate_at:
        return protocol.ROTATE, "connections are renewed now and then"
    return None
