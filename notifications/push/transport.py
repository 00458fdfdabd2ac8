"""The port: one message to every gateway, perhaps lost, perhaps twice, never in the way."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import msgspec


class Change(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A player's changes in ``(from_, to]`` and their frame, ready to send."""

    player_id: int
    from_: int
    to: int
    frame: str
    traces: tuple[str, ...] = ()  # of each event: its id, a space and its traceparent; for logs only
    epoch: int = 0  # the numbering of ``from_`` and ``to``; 0 from a process that did not say it yet


class Changes(msgspec.Struct, frozen=True, tag="c", array_like=True):
    """All that one batch has changed."""

    changes: Sequence[Change]


class Announced(msgspec.Struct, frozen=True, tag="a", array_like=True):
    """A range of a game's announcement sequence and its frame."""

    game_id: int
    from_: int
    to: int
    frame: str
    epoch: int = 0  # as in Change


class Newest(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A device has connected: its older sockets are closed, wherever they are."""

    player_id: int
    device: str
    socket: str  # the newest one, which stays
    since: float  # when it connected, in seconds since 1970 by its gateway's clock


class Replaced(msgspec.Struct, frozen=True, tag="x", array_like=True):
    """All devices that have connected to one gateway in the last moment."""

    newest: Sequence[Newest]


Message = Changes | Announced | Replaced
Receive = Callable[[Message], None]
Subscribed = Callable[[], None]


class Transport(ABC):
    """Carries messages from any process to all gateways."""

    @abstractmethod
    def publish(self, message: Message) -> None:
        """Send at once, or give up at once. Raises nothing: it is only a hint."""

    @abstractmethod
    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        """Receive until cancelled, on the running loop; whatever comes in, others get their turn too.

        ``subscribed`` is called after each (re)subscription: what was sent before may be lost.
        Raises what the connection raises; the caller runs it again.
        """
