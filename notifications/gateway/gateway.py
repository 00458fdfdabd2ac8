"""All sockets of one process: hints in, frames out, and the look once a second that trusts no hint."""

import asyncio
import random
import socket as hosts
import time
import uuid
from collections import defaultdict
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog

from notifications import announcements
from notifications.frames import announcements_frame, changes_frame, rfc3339
from notifications.gateway import metrics, protocol, queries
from notifications.gateway.protocol import frame
from notifications.gateway.queries import Need, Supply, with_connection
from notifications.gateway.socket import Socket
from notifications.inbox import Action, Result, apply
from notifications.push.publishing import transport
from notifications.push.transport import Announced, Change, Changes, Control, Message
from players import presence
from players.devices import store_acks

T = TypeVar("T")
LOOK_S = 1.0
GATHER_S = 0.2
REPAIR_PAUSE_S = 0.002
"""So long the repair waits for others that fall behind at the same time."""
REPAIR_MAX = 2_000

log = structlog.get_logger(__name__)


class Gateway:
    """Lives on one event loop; starts with its first socket."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self.id = uuid.uuid4()
        self.players: dict[int, list[Socket]] = defaultdict(list)
        self.degraded = False
        self._behind: set[Socket] = set()
        self._wake_repair = asyncio.Event()
        self._inbound: asyncio.Queue[Message] = asyncio.Queue()
        self._acks: dict[tuple[int, str], int] = {}
        self._actions: list[tuple[Action, Socket]] = []
        self._arrived: set[int] = set()
        self._left: set[int] = set()
        self._renewed = 0.0
        self._tasks = [
            asyncio.create_task(self._supervised(name, work), name=f"gateway-{name}")
            for name, work in (
                ("subscription", self._subscribe),
                ("delivery", self._deliver),
                ("repair", self._repair),
                ("look", self._look),
                ("gather", self._gather),
            )
        ]

    # -- sockets come and go ---------------------------------------------------------------------

    @property
    def count(self) -> int:
        """How many sockets there are."""
        return sum(len(sockets) for sockets in self.players.values())

    def register(self, socket: Socket) -> None:
        """Know a socket, before its player's head is read: a change is then in the read or in a later hint."""
        sockets = self.players[socket.player_id]
        if not sockets:
            self._arrived.add(socket.player_id)
            self._left.discard(socket.player_id)
        sockets.append(socket)
        metrics.sockets.inc()

    def forget(self, socket: Socket) -> None:
        """Forget a socket."""
        sockets = self.players.get(socket.player_id, [])
        if socket in sockets:
            sockets.remove(socket)
            metrics.sockets.dec()
        if not sockets:
            self.players.pop(socket.player_id, None)
            self._left.add(socket.player_id)
            self._arrived.discard(socket.player_id)
        self._behind.discard(socket)

    def fell_behind(self, socket: Socket) -> None:
        """Have a socket repaired, together with all others that are behind."""
        self._behind.add(socket)
        self._wake_repair.set()

    def acked(self, socket: Socket, seq: int) -> None:
        """Take an ack; what waited for it goes on."""
        was_blocked = socket.blocked
        socket.ack(seq)
        if socket.device:
            self._acks[socket.player_id, socket.device] = socket.acked
        if was_blocked or socket.behind:
            self.fell_behind(socket)

    def act(self, action: Action, socket: Socket) -> None:
        """Take a state; it is written with all others of the next moment."""
        self._actions.append((action, socket))

    async def replace_device(self, newest: Socket) -> None:
        """Close the older sockets of the same device, here and on other gateways."""
        if newest.device:
            await self._close_device(Control(newest.player_id, newest.device, newest.id))
            message = Control(newest.player_id, newest.device, newest.id)
            await asyncio.get_running_loop().run_in_executor(queries.executor, transport().publish, message)

    # -- hints -------------------------------------------------------------------------------------

    async def _subscribe(self) -> None:
        await transport().run(self._inbound.put_nowait, self._all_behind)

    def _all_behind(self) -> None:
        """What was sent while nobody listened is lost: look at every player."""
        for sockets in self.players.values():
            for socket in sockets:
                socket.behind = True
                self.fell_behind(socket)

    async def _deliver(self) -> None:
        while True:
            message = await self._inbound.get()
            if isinstance(message, Changes):
                for change in message.changes:
                    await self._hint(change)
            elif isinstance(message, Announced):
                await self._announce(message)
            else:
                await self._close_device(message)

    async def _hint(self, change: Change) -> None:
        for socket in tuple(self.players.get(change.player_id, ())):
            if await socket.changes(change.from_, change.to, change.frame):
                metrics.sent.labels("hint").inc()
            else:
                self.fell_behind(socket)
        if change.trace and log.is_enabled_for(10):
            log.debug("push.delivered", trace=change.trace, seq=change.to)

    async def _announce(self, message: Announced) -> None:
        for sockets in tuple(self.players.values()):
            for socket in tuple(sockets):
                if socket.game_id != message.game_id or message.to <= socket.announcements:
                    continue
                if socket.ready and not socket.announcements_behind and message.from_ == socket.announcements:
                    socket.announcements = message.to
                    await socket.send(message.frame)
                else:
                    socket.announcements_behind = True
                    self.fell_behind(socket)

    async def _close_device(self, message: Control) -> None:
        for socket in tuple(self.players.get(message.player_id, ())):
            if socket.device == message.device and socket.id != message.socket:
                await self.close(socket, protocol.REPLACED, "the same device has connected again")

    # -- repair ----------------------------------------------------------------------------------

    async def _repair(self) -> None:
        while True:
            await self._wake_repair.wait()
            await asyncio.sleep(REPAIR_PAUSE_S)
            self._wake_repair.clear()
            waiting = [socket for socket in self._behind if socket.ready and not socket.closed][:REPAIR_MAX]
            self._behind.difference_update(waiting)
            if self._behind and any(socket.ready for socket in self._behind):
                self._wake_repair.set()
            try:
                await self._repair_announcements([each for each in waiting if each.announcements_behind])
                await self._repair_changes([each for each in waiting if each.behind and not each.blocked])
            except Exception:
                for socket in waiting:
                    self._behind.add(socket)
                await asyncio.sleep(LOOK_S)
                self._wake_repair.set()
                raise

    async def _repair_changes(self, sockets: list[Socket]) -> None:
        if not sockets:
            return
        needs = [Need(player_id=each.player_id, after=each.cursor, upto=each.upto) for each in sockets]
        supplies = await self._query(queries.supply, needs)
        now = datetime.now(UTC)
        for socket, need, found in zip(sockets, needs, supplies, strict=True):
            if socket.cursor == need.after:
                await self._send_supply(socket, need, found, now)

    async def _send_supply(self, socket: Socket, need: Need, found: Supply, now: datetime) -> None:
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
            socket.cursor = to
            await socket.send(text)
            metrics.sent.labels("repair").inc()
            metrics.repaired.inc()
        socket.behind = found.head > socket.cursor
        if socket.behind and not socket.blocked:
            self.fell_behind(socket)

    async def _repair_announcements(self, sockets: list[Socket]) -> None:
        for game_id in {socket.game_id for socket in sockets}:
            those = [socket for socket in sockets if socket.game_id == game_id]
            start = min(socket.announcements for socket in those)
            heads = await self._query(queries.announcement_heads, [game_id])
            rows = await self._query(announcements.since, game_id, start)
            for socket in those:
                head = max(heads[game_id], max((row.seq for row in rows), default=0))
                missing = [announcements.item(row) for row in rows if row.seq > socket.announcements]
                if head > socket.announcements:
                    text = announcements_frame(socket.announcements, head, missing, datetime.now(UTC))
                    socket.announcements = head
                    await socket.send(text)
                socket.announcements_behind = False

    # -- once a second -----------------------------------------------------------------------------

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            players = list(self.players)
            games = {socket.game_id for sockets in self.players.values() for socket in sockets}
            try:
                found = await self._query(queries.standings, players) if players else {}
                heads = await self._query(queries.announcement_heads, games) if games else {}
                await self._weather(degraded=False)
            except Exception as error:  # noqa: BLE001 - the database is away; sockets stay and are told
                log.warning("gateway.database_away", error=type(error).__name__)
                await self._weather(degraded=True)
                found, heads = {}, {}
            for player_id, sockets in list(self.players.items()):
                for socket in tuple(sockets):
                    await self._look_at(socket, found.get(player_id), heads.get(socket.game_id))

    async def _look_at(self, socket: Socket, player: queries.Standing | None, announced: int | None) -> None:
        if not socket.ready:
            return
        if player is not None and player.refused:
            await self.close(socket, protocol.PLAYER_REFUSED, "this player is blocked or was erased")
            return
        if player is not None and player.head > socket.cursor and not socket.behind:
            socket.behind = True
            self.fell_behind(socket)
        if announced is not None and announced > socket.announcements:
            socket.announcements_behind = True
            self.fell_behind(socket)
        if (reason := self._overdue(socket)) is not None:
            await self.close(socket, *reason)
        elif time.monotonic() >= socket.heartbeat_at:
            head = max(socket.cursor, player.head if player else 0)
            await socket.beat(
                head, max(socket.announcements, announced or 0), rfc3339(datetime.now(UTC)) or ""
            )

    @staticmethod
    def _overdue(socket: Socket) -> tuple[int, str] | None:
        now = time.monotonic()
        if socket.expires <= datetime.now(UTC):
            return protocol.TOKEN_EXPIRED, "the token has expired; get a new one"
        if now - socket.heard > 2 * protocol.HEARTBEAT_S:
            return protocol.SILENT, f"nothing was heard for {2 * protocol.HEARTBEAT_S:.0f} s"
        if socket.behind and socket.blocked and now - socket.window_open > protocol.NO_ACKS_S:
            return (
                protocol.NO_ACKS,
                f"{protocol.WINDOW} changes have waited {protocol.NO_ACKS_S:.0f} s for an ack",
            )
        if now >= socket.rotate_at:
            return protocol.ROTATE, "connections are renewed now and then"
        return None

    async def _weather(self, *, degraded: bool) -> None:
        """Tell every client once when the database goes away, and once when it is back."""
        if degraded == self.degraded:
            return
        self.degraded = degraded
        detail = "the database does not answer; nothing is lost, all of it comes later" if degraded else ""
        text = frame("status", mode="degraded" if degraded else "normal", detail=detail)
        for sockets in tuple(self.players.values()):
            for socket in tuple(sockets):
                await socket.send(text)
        if not degraded:
            self._all_behind()

    # -- what clients say, gathered ----------------------------------------------------------------

    async def _gather(self) -> None:
        while True:
            await asyncio.sleep(GATHER_S)
            await self._write_states()
            await self._write_acks()
            await self._write_presence()

    async def _write_states(self) -> None:
        gathered, self._actions = self._actions, []
        if not gathered:
            return
        try:
            await self._query(_apply, [action for action, _ in gathered])
        except Exception as error:  # noqa: BLE001 - each client is told, and may try again
            log.warning("gateway.states_refused", error=type(error).__name__, states=len(gathered))
            for action, socket in gathered:
                await socket.refuse(
                    action.kind, "unavailable", "it was not stored; send it again", retry_after=1
                )

    async def _write_acks(self) -> None:
        acks, self._acks = self._acks, {}
        if acks:
            await self._query(store_acks, [(player, device, seq) for (player, device), seq in acks.items()])

    async def _write_presence(self) -> None:
        due = time.monotonic() - self._renewed >= presence.RENEW_S
        if not (due or self._arrived or self._left):
            return
        if await self._query(presence.renew, self.id, hosts.gethostname(), self.count):
            self._arrived.update(self.players)  # the first lease, or one anew: nobody counts as here any more
        self._renewed = time.monotonic()
        arrived, self._arrived = self._arrived, set()
        left, self._left = self._left, set()
        if arrived:
            await self._query(presence.arrived, self.id, arrived)
        if left:
            await self._query(presence.left, self.id, left)

    # -- all of the above --------------------------------------------------------------------------

    async def close(self, socket: Socket, code: int, detail: str) -> None:
        """Close a socket, and count it."""
        metrics.closed.labels(str(code)).inc()
        await socket.close(code, detail)

    async def _query(self, work: Callable[..., T], *args: Any) -> T:
        """Run a query on the gateway's own threads, never on the one that everything shares."""
        return await asyncio.get_running_loop().run_in_executor(
            queries.executor, with_connection(work), *args
        )

    async def query(self, work: Callable[..., T], *args: Any) -> T:
        """Run a query for a session."""
        return await self._query(work, *args)

    async def _supervised(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run a task for as long as the process lives; what it raises is logged, counted and survived."""
        while True:
            try:
                await work()
            except asyncio.CancelledError:
                raise
            except Exception as error:
                metrics.restarts.labels(name).inc()
                log.warning("gateway.task_failed", task=name, error=type(error).__name__, exc_info=True)
            await asyncio.sleep(random.uniform(0.1, 1.0))  # noqa: S311 - jitter


def _apply(actions: list[Action]) -> dict[int, Result]:
    return dict(apply(actions))


_gateways: dict[int, Gateway] = {}


def current() -> Gateway:
    """Return the gateway of the running loop, started with its first socket."""
    loop = asyncio.get_running_loop()
    gateway = _gateways.get(id(loop))
    if gateway is None:
        gateway = _gateways[id(loop)] = Gateway()
    return gateway
