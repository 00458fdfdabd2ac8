"""Everything that the players room raises, as one family.

EventsError
└── PlayersError
    ├── TokenInvalid      not a token of ours, or its key is retired: 401
    │   └── TokenExpired  it was one: 401, get a new one
    ├── PlayerRefused     blocked or erased, to the player's client: 403
    ├── PlayerErased      erased, to the game's servers: 410
    ├── OriginRefused     a page whose origin the game does not allow: 403
    ├── NotThere          no such player: 404
    ├── NotYet            the profile is not at that place yet: 504
    ├── BodyTooLarge      the request's body: 413
    └── BodyUnreadable    the body is not JSON in UTF-8: 400
"""

from http import HTTPStatus
from typing import ClassVar

from events.errors import EventsError, Unauthorized


class PlayersError(EventsError):
    """Root of the family; ``status`` and ``slug`` say how HTTP answers."""

    status: ClassVar[HTTPStatus] = HTTPStatus.BAD_REQUEST
    slug: ClassVar[str] = "refused"


class TokenInvalid(PlayersError, Unauthorized):
    """Not a player's token, not for this service, or signed by a retired key. The text never repeats it."""

    status = HTTPStatus.UNAUTHORIZED
    slug = "unauthorized"


class TokenExpired(TokenInvalid):
    """It was valid; the client must get a new one."""


class PlayerRefused(PlayersError):
    """The player is blocked or erased; no token lets them in."""

    status = HTTPStatus.FORBIDDEN
    slug = "player-refused"


class PlayerErased(PlayersError):
    """The player was erased. Nothing that is sent about them is kept; make a new id for a new player."""

    status = HTTPStatus.GONE
    slug = "player-erased"

    def __init__(self) -> None:
        super().__init__("this player was erased; nothing about them is kept any more")


class OriginRefused(PlayersError):
    """The page's origin is not among those that the game allows."""

    status = HTTPStatus.FORBIDDEN
    slug = "origin-refused"


class NotThere(PlayersError):
    """There is no such player."""

    status = HTTPStatus.NOT_FOUND
    slug = "not-found"


class NotYet(PlayersError):
    """The profile has not reached the place that was asked for in time. Ask again, or without it."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    slug = "not-yet"


class BodyTooLarge(PlayersError):
    """The request's body is larger than anything that belongs there."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    slug = "too-large"

    def __init__(self, limit: int) -> None:
        super().__init__(f"the request's body is larger than {limit} bytes")


class BodyUnreadable(PlayersError):
    """The request's body is not JSON in UTF-8."""

    slug = "unreadable"
