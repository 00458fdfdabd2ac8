"""Which players have sockets in this process."""

from collections.abc import Iterator

from notifications.gateway import metrics
from notifications.gateway.socket import Socket


class Sockets:
    """From a player to their sockets. Used on the gateway's loop only; may be walked while it changes."""

    def __init__(self) -> None:
        """Start with none."""
        self._by_player: dict[int, list[Socket]] = {}
        self.count = 0

    def add(self, socket: Socket) -> None:
        """Know a socket."""
        self._by_player.setdefault(socket.player_id, []).append(socket)
        self.count += 1
        metrics.sockets.inc()

    def remove(self, socket: Socket) -> None:
        """Forget a socket, if it is known."""
        of_player = self._by_player.get(socket.player_id, [])
        if socket not in of_player:
            return
        of_player.remove(socket)
        if not of_player:
            del self._by_player[socket.player_id]
        self.count -= 1
        metrics.sockets.dec()

    def of(self, player_id: int) -> tuple[Socket, ...]:
        """Return a player's sockets."""
        return tuple(self._by_player.get(player_id, ()))

    @property
    def players(self) -> frozenset[int]:
        """The players who have any."""
        return frozenset(self._by_player)

    def __iter__(self) -> Iterator[Socket]:
        return iter([socket for sockets in self._by_player.values() for socket in sockets])
