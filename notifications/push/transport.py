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
    trace: str = ""  # the event's id and traceparent, for the gateway's log


class Changes(msgspec.Struct, frozen=True, tag="c", array_like=True):
    """All that one batch has changed."""

    changes: Sequence[Change]


class Announced(msgspec.Struct, frozen=True, tag="a", array_like=True):
    """A range of a game's announcement sequence and its frame."""

    game_id: int
    from_: int
    to: int
    frame: str


class Control(msgspec.Struct, frozen=True, tag="x", array_like=True):
    """A device has connected somewhere: its older sockets are closed."""

    player_id: int
    device: str
    socket: str  # the newest one, which stays


Message = Changes | Announced | Control
Receive = Callable[[Message], None]
Subscribed = Callable[[], None]


class Transport(ABC):
    """Carries messages from any process to all gateways."""

    @abstractmethod
    def publish(self, message: Message) -> None:
        """Send at once, or give up at once. Raises nothing: it is only a hint."""

    @abstractmethod
    async def run(self, receive: Receive, subscribed: Subscribed) -> None:
        """Receive until cancelled, on the running loop.

        ``subscribed`` is called after each (re)subscription: what was sent before may be lost.
        Raises what the connection raises; the caller runs it again.
        """
