"""The port between deliveries and whatever brings them: one small class."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from notifications.errors import NotificationsError


@dataclass(frozen=True, kw_only=True)
class Letter:
    """One notification on its way by one channel. The same in every try, whatever has changed since."""

    id: str  # idempotency id: the notification's own and the channel's name
    uid: UUID  # the notification's id in the inbox and on the socket
    game: str  # slug
    player: str = field(repr=False)  # the player's id in the game
    number: int
    class_: str
    category: str
    title: str = field(repr=False)
    body: str = field(repr=False)
    data: str = field(repr=False)  # JSON text
    actions: str = field(repr=False)  # JSON text
    created: datetime
    expires: datetime | None


class Undelivered(NotificationsError):
    """A try has failed.

    ``permanent``: the same again would fail again, so nobody tries. ``error`` is a short class
    to group by, the text a sentence; neither holds anything of the player's or a secret.
    ``retry_after_s`` is what the other side asks for, None where it asks for nothing.
    """

    def __init__(
        self, error: str, detail: str, *, permanent: bool = False, retry_after_s: float | None = None
    ) -> None:
        super().__init__(detail)
        self.error = error
        self.permanent = permanent
        self.retry_after_s = retry_after_s


class Channel:
    """Brings letters to players, or to whoever brings them on.

    One instance serves all threads of a process. The same letter may come again, after a
    crash even when it had arrived: the other side tells by ``letter.id``, which must reach it.
    """

    name: ClassVar[str]
    """Lower case, at most 20 characters; stored with each delivery and named by rules."""
    about: ClassVar[str]
    """How it brings things, for staff who choose channels: a few words."""
    set_up_under: ClassVar[str] = ""
    """The screen of the console on which a game sets it up."""

    def route(self, game_id: int) -> Mapping[str, Any] | None:
        """Return where a game's letters go now, or None where the channel is not set up or switched off.

        Called with the database at hand, within a transaction; must not call anything slow.
        """
        raise NotImplementedError

    def send(self, letter: Letter, route: Mapping[str, Any]) -> None:
        """Bring a letter; return when the other side has taken responsibility for it.

        Called outside of any transaction, on a thread without a database. Must end within
        30 s by itself, and must leave nothing of the letter in logs.

        Raises:
            Undelivered: it was not brought, or nobody knows.
        """
        raise NotImplementedError
